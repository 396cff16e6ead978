# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of start commands. An NS file's ``set opt(NAME) VALUE`` becomes a variable in it (ns.md §4)."""

from __future__ import annotations

import re

from ...topology.attributes import PREFIX
from ...topology.model import Topology

ENVIRONMENT = f"{PREFIX}env:"
_OURS = frozenset(("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"))


def environment_of(topology: Topology) -> dict[str, str]:
    """Return {variable: value} of the attributes ``containers:env:NAME`` of the topology, in their order.

    Characters that a shell does not allow in a name become ``_``: ``x-1`` is ``x_1``, ``1x`` is ``_1x``. If two names become the same, the
    first one counts. Variables that benito-host sets itself are left out.
    """
    variables: dict[str, str] = {}
    for attribute in topology.attributes:
        if not attribute.name.startswith(ENVIRONMENT):
            continue
        name = re.sub(r"[^A-Za-z0-9_]", "_", attribute.name[len(ENVIRONMENT) :])
        name = name if name and not name[0].isdigit() else f"_{name}"
        if name not in _OURS and not name.startswith("BENITO_") and "\0" not in attribute.value:
            variables.setdefault(name, attribute.value)
    return variables
