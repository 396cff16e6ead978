# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the original's ``containerize`` that are settings by another name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from .option_syntax import disk_mebibytes, truth
from .setting import ansible_markup


@dataclass(frozen=True)
class OriginalOption:
    """An option of the original.

    setting  the setting that it gives
    kind     its type as Ansible names it
    summary  a sentence, in Markdown
    convert  returns the setting's value, None for a value that the option cannot have
    values   which values it may have
    """

    name: str
    setting: str
    kind: str
    summary: str
    convert: Callable[[object], object]
    values: str

    def argument(self) -> dict[str, Any]:
        """Return its part of an Ansible argument spec."""
        return {"type": self.kind}

    def documentation(self, options: Mapping[str, object]) -> dict[str, Any]:
        """Return what a module's DOCUMENTATION says of it."""
        return {"description": [ansible_markup(self.summary, options), f"Its value is {self.values}."], "type": self.kind}


def _opposite(value: object) -> bool | None:
    meant = truth(value)
    return not meant if isinstance(meant, bool) else None


ORIGINAL_OPTIONS: tuple[OriginalOption, ...] = (
    OriginalOption(
        "openvz_diskspace", "openvz_disk_mb", "str",
        "`openvz_disk_mb` as the original has it.",
        disk_mebibytes, "a number and G or M, like 2G; a bare number counts blocks of 1 KiB",
    ),
    OriginalOption("no_image", "image", "bool", "The opposite of `image`.", _opposite, "true or false"),
)


def without_original_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Return ({setting: value} of all that is given, problems), with the settings that options of the original mean in their place.

    given  {setting or option of the original: value, None for one that is not given}

    A problem is an impossible value, or an option that is given together with its setting.
    """
    known = {option.name: option for option in ORIGINAL_OPTIONS}
    settings = {name: value for name, value in given.items() if name not in known and value is not None}
    problems = []
    for name, option in known.items():
        value = given.get(name)
        if value is None:
            continue
        meant = option.convert(value)
        if meant is None:
            problems.append(Problem(f"{value!r} is not one of its values", element=name, hint=option.values))
        elif option.setting in settings:
            problems.append(Problem(f"is the same setting as {option.setting}, which is given too", element=name, hint="give one of them"))
        else:
            settings[option.setting] = meant
    return settings, problems
