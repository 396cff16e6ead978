# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One check of the doctor, and how many of them are shown to a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

OK, WARNING, FAILED = STATES = "ok", "warning", "failed"  # as host/pool/checkup.py, which a machine runs, has them
CONTROLLER = "controller"
_WIDTH = 600  # of a text from a machine
_MOST_NAMES = 5


@dataclass(frozen=True)
class Check:
    """What was found.

    name    of what was checked, such as "disk"
    state   OK, WARNING (it works, but less well or not for everything) or FAILED
    text    what was found
    remedy  what to do about it, "" if it is well
    where   CONTROLLER, or the name of a machine of the pool
    """

    name: str
    state: str
    text: str
    remedy: str = ""
    where: str = CONTROLLER

    def as_dict(self) -> dict[str, str]:
        """Return the check as JSON has it."""
        return asdict(self)


def check_from(value: Any, where: str) -> Check:
    """Return the check that a machine reported. A machine may report anything, so it is cleaned."""
    found = value if isinstance(value, dict) else {}
    name, text, remedy = (clean_line(found.get(field) or "", _WIDTH) for field in ("name", "text", "remedy"))
    state = found.get("state")
    return Check(name or "report", state if state in STATES else FAILED, text, remedy, where)


def lines(checks: Sequence[Check]) -> list[str]:
    """Return the checks for a person, with the remedies. What holds for several machines is one line."""
    groups: dict[tuple[str, ...], list[Check]] = {}
    for check in checks:
        side = CONTROLLER if check.where == CONTROLLER else ""
        said = () if check.state == OK else (check.text, check.remedy)
        groups.setdefault((side, check.name, check.state, *said), []).append(check)
    order = list(dict.fromkeys(key[:2] for key in groups))
    found = []
    for key, same in sorted(groups.items(), key=lambda item: order.index(item[0][:2])):
        text = " | ".join(list(dict.fromkeys(check.text for check in same))[:_MOST_NAMES])
        found.append(f"{same[0].state:8} {_places(same)}: {key[1]}: {text}")
        found += [f"{'':9}remedy: {same[0].remedy}"] if same[0].remedy else []
    return found


def _places(checks: Sequence[Check]) -> str:
    names = [check.where for check in checks]
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{', '.join(names[:_MOST_NAMES - 1])} and {len(names) - _MOST_NAMES + 1} more"
