# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/inventory.md lists exactly the names that containerize refuses."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.inventory.data import inventory_of
from ansible_collections.deter.benito.plugins.module_utils.inventory.reserved import RESERVED_NAMES, RESERVED_PREFIXES, reserved
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Topology

PAGE = Path(__file__).parents[3] / "docs" / "inventory.md"


def test_page_lists_the_reserved_names():
    section = PAGE.read_text(encoding="utf-8").partition("containerize refuses these names of nodes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ") and "`" in line]
    assert sorted(re.findall("`([^`]+)`", " ".join(rows))) == sorted([*RESERVED_NAMES, *RESERVED_PREFIXES])


def test_groups_of_every_experiment_are_reserved():
    groups = inventory_of(Topology(), {}, (), {}, "P.e")["groups"]
    assert groups and all(reserved(name) for name in groups)
    assert reserved("kind_process") and reserved("experiment_P_e") and not reserved("kind") and not reserved("node1")
