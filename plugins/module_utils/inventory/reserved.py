# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that mean something else in an inventory, so no node of an experiment may have them. docs/inventory.md has the same list."""

from __future__ import annotations

RESERVED_NAMES = {
    "all": "Ansible's group of all hosts",
    "ungrouped": "Ansible's group of the hosts without a group",
    "localhost": "the controller, and every node itself",
    "pnode_pool": "the group of the machines that may become pnodes",
    "pnodes": "a group of the experiment",
    "vhosts": "a group of the experiment",
    "vnodes": "a group of the experiment",
}
RESERVED_PREFIXES = {
    "kind_": "groups of the experiment",
    "partition_": "groups of the experiment",
    "substrate_": "groups of the experiment",
    "experiment_": "groups of the experiment",
    "benito_": "groups of the playbooks",
}


def reserved(name: str) -> str:
    """Return what ``name`` means in an inventory, "" if a node may have it."""
    if name in RESERVED_NAMES:
        return RESERVED_NAMES[name]
    found = next((prefix for prefix in RESERVED_PREFIXES if name.startswith(prefix)), "")
    return f"names with {found} are {RESERVED_PREFIXES[found]}" if found else ""
