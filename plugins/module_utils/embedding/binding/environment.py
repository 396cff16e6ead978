# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an NS file's ``set opt(NAME) VALUE`` gives the start commands: a variable of the environment (ns.md §4)."""

from __future__ import annotations

import re

from ...topology.attributes import PREFIX
from ...topology.model import Topology

ENVIRONMENT = f"{PREFIX}env:"
_OURS = frozenset(("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG"))


def environment_of(topology: Topology) -> dict[str, str]:
    """{variable: value} of the attributes ``containers:env:NAME`` at the root, in their order.

    What no shell could name is spelled with ``_``: ``x-1`` is ``x_1``, ``1x`` is ``_1x``. Of two that become one the first counts.
    Variables that benito-host sets itself are left as they are.
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
