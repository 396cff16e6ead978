# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings as options of modules: their argument spec, their documentation, and a module that has them checked by the schema."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

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


class SettingsModule(AnsibleModule):
    """A module that takes settings.

    Ansible ends a module at the first option that is not of its type. The schema finds all that is wrong at once and says what would be
    right, and it takes the same texts. Therefore settings are kept from Ansible's check, and ``params`` has them as they were given.
    """

    def __init__(self, argument_spec: dict[str, dict[str, Any]], **kwargs: Any) -> None:
        self._given: dict[str, Any] = {}
        super().__init__(argument_spec=argument_spec, **kwargs)
        self.params.update(self._given)

    def _load_params(self) -> None:
        super()._load_params()
        self._given = {name: self.params.pop(name) for name in option_names() if name in self.params and name in self.argument_spec}
