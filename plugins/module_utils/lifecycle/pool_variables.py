# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables by which the inventory describes a machine of the pool, and those that are probably misspelt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

KNOWN = ("benito_experiment_address", "benito_experiment_interface", "benito_control_addresses", "pnode_type", "pnode_slots", "pnode_memory_mb", "pnode_shared")
_OTHERS = ("pnode_types", "pnode_pool")
_LIKENESS = 0.8


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Return {variable of a machine: the known one that it resembles} of the variables that are not known themselves."""
    found = {}
    for name in sorted(set(names) - {*KNOWN, *_OTHERS}):
        close = difflib.get_close_matches(name, KNOWN, 1, _LIKENESS)
        if close:
            found[name] = close[0]
    return found


def notes(machine: str, names: Iterable[str]) -> list[str]:
    """Return a line for each misspelt variable of a machine."""
    return [f"{machine}: {hint}" for hint in hints(names)]


def hints(names: Iterable[str]) -> list[str]:
    """Return a phrase for each misspelt variable of a machine."""
    return [f"its variable {name} means nothing here: {known} is probably meant" for name, known in misspelt(names).items()]
