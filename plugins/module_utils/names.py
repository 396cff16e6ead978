# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alphabets of names that become paths, units, host names and kernel objects.

Each name is checked against one of these before any other use, so that no name needs escaping later.
"""

from __future__ import annotations

import re

CONTROL = "control0"
"""A node's interface to the control network, and the bridge that carries that network on a vhost."""
_PROJECT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}")
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,14}")

PROJECT_RULE = "a letter, then letters, digits, '_' or '-', at most 32 in all"
NODE_RULE = "letters, digits, '_' or '-', not beginning with '-', at most 32"
INTERFACE_RULE = "letters, digits, '_' or '-', not beginning with '-', at most 15"


def is_project_name(text: str) -> bool:
    """Return whether ``text`` may be a pid or an eid."""
    return bool(_PROJECT.fullmatch(text))


def is_project(text: str) -> bool:
    """Return whether ``text`` may be a project, or a group of one: ``PID`` or ``PID/GID``."""
    return text.count("/") <= 1 and all(is_project_name(part) for part in text.split("/"))


def experiment_name(project: str, eid: str) -> str:
    """Return ``pid.eid``, an experiment's name on hosts. The group is left out: eids are unique within a project."""
    return f"{project.partition('/')[0]}.{eid}"


def is_node_name(text: str) -> bool:
    """Return whether ``text`` may name a computer or a substrate (spec: TopDL alphabet, at most 32)."""
    return bool(_NODE.fullmatch(text))


def is_interface_name(text: str) -> bool:
    """Return whether ``text`` may name an interface: it becomes the device's name inside the node."""
    return bool(_INTERFACE.fullmatch(text)) and text not in ("lo", CONTROL)


def safe_partition(text: str) -> bool:
    """Return whether ``text`` may be a partition identifier."""
    return bool(re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", text)) and text not in (".", "..")
