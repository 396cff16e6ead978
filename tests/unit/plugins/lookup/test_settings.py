# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup of settings: which variables it takes, and that they are templates like any others."""

from __future__ import annotations

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template


def looked_up(**variables):
    templar = Templar(loader=DataLoader(), variables=variables)
    return templar.template(trust_as_template("{{ lookup('deter.benito.settings') }}"))


def test_it_returns_what_variables_give_and_nothing_else():
    assert looked_up() == {}
    assert looked_up(packing="5", pass_pack={0: 1}, no_image=True, topology="lab.xml", pid="P") == {"packing": "5", "pass_pack": {0: 1}, "no_image": True}


def test_a_variable_may_refer_to_others():
    given = looked_up(packing=trust_as_template("{{ nodes // 2 }}"), nodes=10, kind_map={"openvz": trust_as_template("{{ kind }}")}, kind="process")
    assert given == {"packing": 5, "kind_map": {"openvz": "process"}}
