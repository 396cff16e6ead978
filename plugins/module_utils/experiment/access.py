# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to nodes with a login over the control network: the files for ssh, and the secrets that each vhost needs."""

from __future__ import annotations

import json
import shlex

from ..hostplan import HOST_KEY, HOST_KEY_FILES, HostPlan
from .directory import ExperimentDirectory
from .keys import ACCESS_KEY

KNOWN_HOSTS, SSH_CONFIG = "known_hosts", "ssh_config"
_SSH_TIMEOUT_S = 60
"""The seconds that an emulated machine on a busy host may take to answer a login. Ansible by itself would wait for 10 s."""


def with_login(plans: dict[str, HostPlan]) -> dict[str, str]:
    """Return {node: its address on the control network} of every node that has one."""
    return {vnode.name: vnode.control.ip4_address.split("/")[0] for plan in plans.values() for vnode in plan.vnodes if vnode.control}


def known_hosts_text(directory: ExperimentDirectory, nodes: dict[str, str]) -> str:
    """Return the text of the experiment's known_hosts. It is complete before the first login, because the host keys exist since creation."""
    lines = []
    for node, address in nodes.items():
        key = " ".join(directory.read("secrets", node, f"{HOST_KEY}.pub").split()[:2])
        lines.append(f"{qualified(directory, node)},{address} {key}\n")
    return "".join(lines)


def ssh_config_text(directory: ExperimentDirectory, nodes: dict[str, str], user: str) -> str:
    """Return the text of ssh_config, for ``Include`` in ~/.ssh/config or for ``ssh -F``. It allows ``ssh n-0.example1.detertest``."""
    parts = [f"# Experiment {directory}, while it is swapped in. Written by deter.benito.\n"]
    for node, address in nodes.items():
        name = qualified(directory, node)
        parts.append(
            f"Host {name}\n  HostName {address}\n  HostKeyAlias {name}\n  User {user}\n  IdentityFile {_quoted(directory.file(ACCESS_KEY))}\n"
            f"  UserKnownHostsFile {_quoted(directory.file(KNOWN_HOSTS))}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
        )
    return "".join(parts)


def secrets_json(directory: ExperimentDirectory, plan: HostPlan) -> str:
    """Return the JSON {node: {file: text}} of the host keys of a vhost's nodes. No other secret of the experiment is in it."""
    nodes = [vnode.name for vnode in plan.vnodes if vnode.control]
    return json.dumps({node: {name: directory.read("secrets", node, name) for name in HOST_KEY_FILES} for node in nodes}) + "\n"


def reach(path: str, address: str) -> dict[str, str | int]:
    """Return Ansible's connection variables for a node with a login.

    path  the experiment's directory
    """
    known = shlex.quote(f"UserKnownHostsFile={path}/{KNOWN_HOSTS}")
    return {
        "ansible_connection": "ssh", "ansible_host": address, "ansible_user": "root", "ansible_ssh_private_key_file": f"{path}/{ACCESS_KEY}",
        "ansible_ssh_common_args": f"-o {known} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes "
                                   "-o ServerAliveInterval=5 -o ServerAliveCountMax=6",
        "ansible_ssh_timeout": _SSH_TIMEOUT_S,
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def qualified(directory: ExperimentDirectory, node: str) -> str:
    """Return the name of ``node`` outside the experiment, such as ``n-0.example1.detertest``."""
    return f"{node}.{directory.eid}.{directory.pid}".lower()


def _quoted(path: str) -> str:
    return '"' + path.replace('"', '') + '"'
