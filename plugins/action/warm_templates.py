# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module warm_templates, whose file documents it. It lists and removes templates on a host that need not have benito-host."""

from __future__ import annotations

import time

from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.plugin_utils.host_action import HostAction, outcome


class ActionModule(HostAction):
    needs_experiment = False
    options = {"limit_mb": {"type": "int"}}

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        removed = self._shrunk(options)
        begun = self.apply_command(paths, "make-templates", "--begin")
        return self._result(removed, begun)

    def act_without_experiment(self, options: dict) -> dict:
        return self._result(self._shrunk(options), {})

    def _shrunk(self, options: dict) -> dict:
        return {} if options["limit_mb"] is None else self._listed(options["limit_mb"])

    def _result(self, removed: dict, begun: dict) -> dict:
        found = {**removed, **begun}
        templates = found["templates"] if "templates" in found else self._listed(None)["templates"]
        changes = [*removed.get("changes", ()), *begun.get("changes", ())]
        return outcome({"changed": bool(changes), "changes": changes, "templates": templates, "table": table(templates)})

    def _listed(self, limit_mb: int | None) -> dict:
        return self.run_task("benito_host.host.qemu.template_task", {"limit_mb": limit_mb, "check_mode": self.check_mode})


def table(templates: list[dict]) -> list[str]:
    """Return a line for each template."""
    lines = []
    for template in templates:
        takes = f", a clone takes {template['private_mb']} MiB" if template["private_mb"] else ""
        used = time.strftime("%Y-%m-%d %H:%M", time.gmtime(template["used"]))
        lines.append(f"{template['image_name']} with {template['memory_mb']} MiB and {template['cpus']} processors under {template['acceleration']}: "
                     f"{template['size_mb']} MiB on the disk{takes}; last cloned {used} UTC ({template['key']})")
    return lines or ["there is no warm template on this host"]
