# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module pool_check, whose file documents it. It leaves no program on the machine."""

from __future__ import annotations

import time

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.pool.checkup import FAILED, OK, WARNING
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.pool_variables import hints
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction

_SKEW_S, _BAD_SKEW_S = 2.0, 60.0


class ActionModule(HostAction):
    options = {
        "experiment_address": {"type": "str", "default": ""},
        "experiment_interface": {"type": "str", "default": ""},
        "kvm": {"type": "bool", "default": True},
        "variables": {"type": "list", "elements": "str", "default": []},
    }
    needs_experiment = False

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        return self.act_without_experiment(options)

    def act_without_experiment(self, options: dict) -> dict:
        variables = options.pop("variables")
        before = time.time()
        result = self.run_task("benito_host.host.pool.checkup", {name: options[name] for name in ("experiment_address", "experiment_interface", "kvm")})
        checks = result.get("checks")
        checks = [*(checks if isinstance(checks, list) else []), clock_check(before, result.get("time"), time.time())]
        if variables:
            checks.append(_variables_check(variables))
        return {"changed": False, "checks": checks}


def clock_check(before: float, there: object, after: float) -> dict:
    """Return the check of a machine's clock, which said ``there`` at some moment between ``before`` and ``after`` of this one's."""
    if not isinstance(there, (int, float)):
        return {"name": "clock", "state": FAILED, "text": "the machine does not say its time", "remedy": ""}
    skew = there - before if there < before else max(0.0, there - after)
    if abs(skew) < _SKEW_S:
        return {"name": "clock", "state": OK, "text": f"within {_SKEW_S:g} s of the controller's", "remedy": ""}
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the controller's"
    return {"name": "clock", "state": FAILED if abs(skew) >= _BAD_SKEW_S else WARNING, "text": text,
            "remedy": "have the machine and the controller keep time by NTP, for example by the package chrony or systemd-timesyncd"}


def _variables_check(names: list[str]) -> dict:
    found = hints(names)
    if found:
        return {"name": "variables", "state": WARNING, "text": "; ".join(found), "remedy": "correct the name in the inventory"}
    return {"name": "variables", "state": OK, "text": "every variable of the inventory that looks like one of ours is one", "remedy": ""}
