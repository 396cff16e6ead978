# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a start command finds in its environment, and which packages a host must have."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.base.environment import start_environment
from ansible_collections.deter.benito.plugins.module_utils.host.base.packages import missing_packages
from ansible_collections.deter.benito.plugins.module_utils.host.guest.files import guest_files
from ansible_collections.deter.benito.tests.unit.host.plans import plan, with_vnode


def test_a_start_command_finds_who_it_is_and_nothing_of_who_started_it(monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    made = with_vnode(plan(), "a", environment={"COLOUR": "red", "HOME": "/tmp"})
    found = start_environment(made, made.vnodes[0])
    assert (found["BENITO_PID"], found["BENITO_EID"], found["BENITO_NODE"]) == ("Proj", "exp", "a")
    assert (found["COLOUR"], found["HOME"]) == ("red", "/tmp")
    assert "SECRET" not in found and found["PATH"].split(":")[0] == "/usr/local/sbin"


def test_a_node_with_a_system_of_its_own_has_the_same_variables():
    made = with_vnode(plan(), "a", environment={"TEXT": "two words"})
    lines = guest_files(made, made.vnodes[0], "/report", "", ("", ""))["var/benito/lib/environment"].text.splitlines()
    assert [line.split("=")[0] for line in lines] == list(start_environment(made, made.vnodes[0]))
    assert "TEXT='two words'" in lines


def test_the_packages_of_a_kind_are_asked_for_only_where_it_is_planned(monkeypatch, tmp_path):
    monkeypatch.setattr("ansible_collections.deter.benito.plugins.module_utils.host.base.packages.installed", lambda command: command == "ip")
    assert missing_packages() == ["iproute2", "nftables"]
    assert missing_packages(["openvz"]) == ["e2fsprogs", "iproute2", "lxc", "nftables", "tar", "zstd"]
