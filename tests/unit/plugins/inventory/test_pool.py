# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool: whatever inventory lies in BENITO_HOME, or nothing."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError


@pytest.fixture(name="source")
def fixture_source(tmp_path, monkeypatch):
    monkeypatch.setenv("BENITO_HOME", str(tmp_path / "home"))
    path = tmp_path / "pool.benito-pool.yml"
    path.write_text("plugin: deter.benito.pool\n")
    return path


def test_no_folder_and_an_empty_one_are_an_empty_pool(tmp_path, source, inventory_of):
    assert not inventory_of(source).hosts
    (tmp_path / "home" / "inventory").mkdir(parents=True)
    assert not inventory_of(source).hosts


def test_every_source_in_the_folder_counts_with_groups_and_variables(tmp_path, source, inventory_of):
    folder = tmp_path / "home" / "inventory"
    (folder / "more").mkdir(parents=True)
    (folder / "a.yml").write_text("pnode_pool: {vars: {pnode_type: small}, hosts: {m1: {ansible_host: 192.0.2.1}}, children: {fast: {hosts: {m2: {}}}}}\n")
    (folder / "more" / "b.ini").write_text("[pnode_pool]\nm3 ansible_port=2222\n")
    (folder / ".hidden").write_text("]")
    inventory = inventory_of(source)
    pool = inventory.groups["pnode_pool"]
    assert sorted(host.name for host in pool.get_hosts()) == ["m1", "m2", "m3"]
    assert pool.vars == {"pnode_type": "small"}
    assert inventory.hosts["m1"].vars["ansible_host"] == "192.0.2.1"
    assert inventory.hosts["m3"].vars["ansible_port"] == 2222
    assert [host.name for host in inventory.groups["fast"].hosts] == ["m2"]


def test_a_source_that_cannot_be_read_is_an_error_with_its_name(tmp_path, source, inventory_of, capsys):
    (tmp_path / "home" / "inventory").mkdir(parents=True)
    (tmp_path / "home" / "inventory" / "bad.yml").write_text("[")
    with pytest.raises(AnsibleError, match="Completely failed to parse inventory source"):
        inventory_of(source)
    assert "home/inventory/bad.yml" in capsys.readouterr().err
