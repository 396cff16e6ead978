# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Prometheus reads from the service. docs/service.md lists the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import Run
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .watchers import Watchers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Metrics(Collector):
    """Counts nodes, vhosts and experiments when it is asked, and keeps how long runs took."""

    def __init__(self, watchers: Watchers):
        self._watchers = watchers
        self._registry = CollectorRegistry()
        disable_created_metrics()  # when a histogram began is of no use here
        self._durations = Histogram("benito_run_duration_seconds", "Duration of a playbook run on an experiment", ["playbook", "status"],
                                    buckets=_SECONDS, registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def ended(self, run: Run, seconds: float) -> None:
        """Take in a run that has ended."""
        if run.status in (events.SUCCESSFUL, events.UNSUCCESSFUL, events.INTERRUPTED):
            self._durations.labels(run.playbook, run.status).observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield what is there now."""
        nodes = GaugeMetricFamily("benito_nodes", "Nodes by their state", labels=["experiment", "kind", "state"])
        reachable = GaugeMetricFamily("benito_vhost_reachable", "Whether a vhost can be reached", labels=["experiment", "vhost"])
        startup = GaugeMetricFamily("benito_vhost_startup_status", "Startup status of a vhost that can be reached: 0, or 1 if it is not set up",
                                    labels=["experiment", "vhost"])
        states: Counter[str] = Counter()
        for name in self._watchers.names:
            watcher = self._watchers.get(name)
            if watcher is None:
                continue
            states[watcher.state["state"]] += 1
            counts = Counter((node.kind, node.state) for node in watcher.view.nodes.values())
            for (kind, state), count in counts.items():
                nodes.add_metric([name, kind, state], count)
            for vhost, found in watcher.view.vhosts.items():
                reachable.add_metric([name, vhost], int(found.reachable))
                if found.startup:
                    startup.add_metric([name, vhost], found.startup[0])
        experiments = GaugeMetricFamily("benito_experiments", "Experiments by their state", labels=["state"])
        for state, count in states.items():
            experiments.add_metric([state], count)
        yield from (experiments, nodes, reachable, startup)
