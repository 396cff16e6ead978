# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible module that has its settings checked by their schema instead of by Ansible."""

from __future__ import annotations

from typing import Any

from .benito_module import BenitoModule
from .settings.options import option_names


class SettingsModule(BenitoModule):
    """A module that takes settings.

    Ansible ends a module at the first option that is not of its type. The schema finds all faults at once, with their remedies,
    and accepts the same texts. Therefore settings are kept from Ansible's check, and ``params`` has them as they were given.
    """

    def __init__(self, argument_spec: dict[str, dict[str, Any]], **kwargs: Any) -> None:
        self._given: dict[str, Any] = {}
        super().__init__(argument_spec=argument_spec, **kwargs)
        self.params.update(self._given)
        self.refuse_nul_characters()

    def _load_params(self) -> None:
        super()._load_params()
        self._given = {name: self.params.pop(name) for name in option_names() if name in self.params and name in self.argument_spec}
