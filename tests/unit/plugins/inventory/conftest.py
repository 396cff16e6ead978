# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory as Ansible reads it, in this process."""

from __future__ import annotations

import pytest
from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars


@pytest.fixture(name="inventory_of")
def fixture_inventory_of(monkeypatch):
    """A function: sources and extra variables in, InventoryManager out. Raises what ansible-inventory would end with."""

    def read(*sources, cache=False, **extra_vars):
        monkeypatch.setattr(context, "CLIARGS", ImmutableDict(extra_vars=tuple(f"{name}={value}" for name, value in extra_vars.items())))
        monkeypatch.delattr(load_extra_vars, "extra_vars", raising=False)
        return InventoryManager(loader=DataLoader(), sources=[str(source) for source in sources], cache=cache)

    return read
