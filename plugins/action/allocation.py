# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module allocation, which says what it does."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.allocate import allocate
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.lent import play_host
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import setting
from ansible_collections.deter.benito.plugins.plugin_utils.directory_action import DirectoryAction

MACHINE_TYPES = ("pnode_types", "pass_pnodes")


class ActionModule(DirectoryAction):
    options = {
        "offers": {"type": "dict", "required": True},
        "secrets": {"type": "dict", "default": {}, "no_log": True},
        **{name: setting(name).argument() for name in MACHINE_TYPES},
    }

    def act(self, directory: ExperimentDirectory, params: dict) -> dict:
        types = {name: params[name] for name in MACHINE_TYPES}
        allocated = allocate(directory, params["offers"], params["secrets"], types, self.check_mode)
        return {
            "changed": allocated.changed,
            "chosen": allocated.chosen,
            "names": {vhost: play_host(vhost, machine) for vhost, machine in allocated.chosen.items()},
            "lease_order": [play_host(vhost, machine) for vhost, machine in sorted(allocated.chosen.items(), key=lambda item: item[1])],
            "claims": allocated.claims,
            "kinds": allocated.kinds,
            "nested": allocated.nested,
            "warnings": list(allocated.notes),
        }
