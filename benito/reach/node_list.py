# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of an experiment's nodes that ``node_list`` printed on DETER (spec: physical names, virtual names, their hosts, containers, extra nodes)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.embedding.kinds import EMBEDDED_PNODE

from ..errors import HostError
from ..runs import environment
from .members import Members


def physical_names(members: Members) -> list[str]:
    """Return the machines that the experiment was lent, [] while it is not swapped in."""
    return [machine for pnode in members.pnodes if (machine := members.machine(pnode))]


def physical_types(members: Members) -> list[str]:
    """Return ``machine=type`` of these machines; the type is "-" where the pool says none. Raises HostError when the pool cannot be read."""
    types = _types(members.directory.home)
    return [f"{machine}={types.get(machine) or '-'}" for machine in physical_names(members)]


def virtual_names(members: Members) -> list[str]:
    """Return the names of the machines in the experiment: of its pnodes, and of computers that are physical machines themselves."""
    own = _physical_computers(members)
    return [own.get(pnode, pnode) for pnode in members.pnodes]


def hosts_of_vnodes(members: Members) -> list[str]:
    """Return ``vnode=machine`` of each vnode; the machine is the pnode's name while the experiment is not swapped in."""
    return [f"{name}={members.machine(pnode) or pnode}" for name, variables in members.nodes.items() if variables["benito_kind"] != EMBEDDED_PNODE
            for pnode in [members.pnode_of(name)]]


def containers(members: Members) -> list[str]:
    """Return the short names of all vnodes, and of computers that are physical machines."""
    return list(members.nodes)


def extra_nodes(members: Members) -> list[str]:
    """Return ``node.eid.pid`` of each vnode, as the original's method ``experiment.extra_nodes`` did."""
    return [qualified(members, name) for name, variables in members.nodes.items() if variables["benito_kind"] != EMBEDDED_PNODE]


def extra_lines(members: Members) -> list[str]:
    """Return the lines of ``node_list --extra``: each machine with the name that it has in the experiment, then the vnodes."""
    own = _physical_computers(members)
    machines = [f"    {qualified(members, own.get(pnode, pnode))} / {members.machine(pnode) or '-'}" for pnode in members.pnodes]
    return [*machines, "  extra nodes:", *(f"    {name}" for name in extra_nodes(members))]


def qualified(members: Members, name: str) -> str:
    """Return ``node.eid.pid``, in the case in which the experiment was named."""
    return f"{name}.{members.directory.eid}.{members.directory.pid}"


def _physical_computers(members: Members) -> dict[str, str]:
    return {variables["benito_vhost"]: name for name, variables in members.nodes.items() if variables["benito_kind"] == EMBEDDED_PNODE}


def _types(home: str) -> dict[str, str]:
    """Return {machine: its pnode_type} of the pool. Ansible reads it."""
    program = Path(sys.executable).with_name("ansible-inventory")
    command = [str(program) if program.exists() else "ansible-inventory", "--list"]
    done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=False, timeout=120)
    try:
        found = json.loads(done.stdout)["_meta"]["hostvars"]
    except (ValueError, KeyError, TypeError) as exc:
        raise HostError(f"the pool cannot be read: {done.stderr.strip()[-400:]}") from exc
    return {name: str(variables.get("pnode_type") or "") for name, variables in found.items()}
