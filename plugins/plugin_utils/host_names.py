# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of an experiment's hosts beside those of other inventory sources.

A host whose short name means something else in the inventory gets its qualified name. The sources may be read in any order.
"""

from __future__ import annotations

from collections.abc import Collection

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.utils.display import Display

display = Display()


def warn_of_qualified(names: Collection[str], domain: str) -> None:
    """Tell the user once under which names such hosts are found."""
    first = min(names)
    display.warning(f"{', '.join(sorted(names))}: the inventory has another host or group of that name. Say {first}{domain} for the node of the experiment.")


def make_way(inventory: InventoryData, names: Collection[str]) -> None:
    """Give the hosts of experiments that have one of ``names`` their qualified names. Raises AnsibleParserError when a host has none."""
    by_domain: dict[str, list[str]] = {}
    for name in sorted(names):
        host = inventory.hosts.get(name)
        if host is None or "benito_vhost" not in host.vars:
            continue
        domain = _domain(inventory, name)
        if not domain:
            raise AnsibleParserError(f"{name} is a machine of the pool and a node of a topology that is no experiment: rename one of them")
        _rename(inventory, name, f"{name}{domain}")
        by_domain.setdefault(domain, []).append(name)
    for domain, renamed in by_domain.items():
        warn_of_qualified(renamed, domain)


def _domain(inventory: InventoryData, name: str) -> str:
    """Return what follows the short name of an experiment's host, "" for a host of no experiment."""
    for group in inventory.hosts[name].get_groups():
        if "benito_eid" in group.vars:
            return f".{group.vars['benito_eid']}.{group.vars['benito_pid']}".lower()
    return ""


def _rename(inventory: InventoryData, old: str, new: str) -> None:
    host = inventory.hosts[old]
    groups = [group.name for group in inventory.groups.values() if host in group.hosts]
    variables = {variable: value for variable, value in host.vars.items() if variable not in ("inventory_file", "inventory_dir")}
    inventory.remove_host(host)
    inventory.add_host(new)
    for variable, value in variables.items():
        inventory.set_variable(new, variable, value)
    for group in groups:
        inventory.add_child(group, new)
