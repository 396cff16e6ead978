# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor shows of its checks, and what it believes of a machine's answer."""

from __future__ import annotations

import pytest

from benito.doctor.checks import FAILED, OK, WARNING, Check, check_from, lines
from benito.doctor.controller import controller_checks
from benito.doctor.pool import checks_of
from benito.reach.adhoc import Answer


def test_what_is_well_is_one_line_for_all_machines_and_the_rest_has_its_remedy():
    checks = [Check("python", OK, "3.11"), *(Check("disk", OK, "room", "", f"m{number}") for number in range(7)),
              Check("disk", FAILED, "full", "make room", "m8"),
              *(Check("kvm", WARNING, "slow", "enable it", f"m{number}") for number in range(2))]
    assert lines(checks) == [
        "ok       controller: python: 3.11",
        "ok       m0, m1, m2, m3 and 3 more: disk: room",
        "failed   m8: disk: full",
        "         remedy: make room",
        "warning  m0, m1: kvm: slow",
        "         remedy: enable it",
    ]


@pytest.mark.parametrize("value", [None, [], "text", {}, {"name": ["x"], "state": "fine"}, {"name": "\x1b[2Jdisk", "state": "failed", "text": "a\nb"}])
def test_a_machine_may_report_anything(value):
    check = check_from(value, "m1")
    assert check.state == FAILED and "\x1b" not in check.name + check.text and "\n" not in check.text


def test_an_unreachable_machine_and_one_without_sudo_are_told_apart():
    (lost,) = checks_of(Answer("m1", {"msg": "No route to host"}, unreachable=True))
    assert (lost.name, lost.state, lost.text) == ("reachable", FAILED, "No route to host") and "ansible m1" in lost.remedy
    (refused,) = checks_of(Answer("m1", {"msg": "sudo wants a password"}))
    assert (refused.name, refused.state) == ("root", FAILED) and "sudo" in refused.remedy


def test_the_controller_that_runs_these_tests_is_well_and_nothing_is_left(tmp_path):
    home = tmp_path / "home"
    found = {check.name: check for check in controller_checks(str(home))}
    assert {found[name].state for name in ("python", "ansible", "collection", "libraries", "programs", "home")} == {OK}, found
    assert not home.exists() and not list(tmp_path.iterdir())


def test_what_a_local_testbed_lacks_fails_only_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr("benito.doctor.controller.lacking", lambda scratch: ("VXLAN, needed for substrates that span pnodes: not supported",))
    monkeypatch.setattr("benito.doctor.controller.os.geteuid", lambda: 0)
    monkeypatch.setattr("benito.doctor.controller.kvm_here", lambda home: [])
    state = {check.name: check.state for check in controller_checks(str(tmp_path))}["kernel"]
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "local_testbed_x.yml").touch()
    assert (state, {check.name: check.state for check in controller_checks(str(tmp_path))}["kernel"]) == (WARNING, FAILED)
