# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings as options of modules: their argument spec and their documentation."""

from __future__ import annotations

import json
from typing import Any

from . import schema
from .original_options import ORIGINAL_OPTIONS, OriginalOption
from .setting import Setting


def _options() -> tuple[Setting | OriginalOption, ...]:
    return (*schema.SETTINGS, *ORIGINAL_OPTIONS)


def option_names() -> tuple[str, ...]:
    """Return the names of all settings and of the original's options."""
    return tuple(option.name for option in _options())


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the argument spec of a module that takes every setting. What is not given is left to site.yml."""
    return {option.name: option.argument() for option in _options()}


def documentation() -> str:
    """Return the documentation of these options as Ansible has it, in YAML."""
    names = dict.fromkeys(option_names())
    return _fragment({option.name: option.documentation(names) for option in _options()})


def documentation_of(*names: str, with_default: bool = False) -> str:
    """Return the documentation of these settings as options of another module."""
    return _fragment({name: schema.setting(name).documentation(dict.fromkeys(names), with_default) for name in names})


def _fragment(options: dict[str, Any]) -> str:
    return json.dumps({"options": options}, ensure_ascii=False)  # JSON is YAML
