# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of benito-host: one clear error for what it cannot do."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host import cli
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ROOT, ExperimentPaths, experiments_here, is_experiment
from ansible_collections.deter.benito.plugins.module_utils.host.cli import main
from ansible_collections.deter.benito.plugins.module_utils.host.pool.lease import LEASES, Claim, claim_lease
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["apply", "--part", "everything"], ["enter"], ["status", "--colour"], ["apply", "-e"]])
def test_bad_usage_ends_with_2_and_says_how_to_use_it(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: benito-host")


def test_help_names_every_command_and_each_tells_its_options(capsys):
    def said(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0
        return capsys.readouterr().out

    assert all(f"\n    {name}" in said() for name in cli._COMMANDS)
    assert all(said(name).startswith(f"usage: benito-host {name} [-h]") for name in cli._COMMANDS)
    assert "{network,processes,physical,containers,machines}" in said("apply") and "PID.EID" in said("down") and "rollback" in said("control-bridge")
    assert "SECONDS" in said("control-bridge", "up") and "MIB" in said("templates") and "NODE" in said("enter")


@pytest.mark.parametrize(("arguments", "message"), [
    (["status", "-e", "../../etc"], "'../../etc' is not PID.EID"), (["apply", "-e", ""], "'' is not PID.EID"),
    (["enter", "-e", "a/../b", "n"], "'a/../b' is not PID.EID"), (["status"], "name an experiment with -e PID.EID: there is none on this machine"),
    (["status", "-e", "No.such"], "no experiment No.such on this host"), (["enter", "nobody"], "no node nobody on this host"),
    (["enter", "-e", "No.such", "nobody"], "no experiment No.such on this host"),
])
@pytest.mark.parametrize("as_json", [False, True])
def test_what_cannot_be_done_is_one_clear_error(arguments, message, as_json, capfd):
    @sandboxed
    def body():
        assert main(arguments + ["--json"] * (as_json and arguments[0] != "enter")) == 1

    body()
    out, err = capfd.readouterr()
    if as_json and arguments[0] != "enter":
        assert message in json.loads(out)["error"]
    else:
        assert err.startswith("benito-host: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b'{"version": 2}', b"[" * 100_000, None])
@sandboxed
def test_a_damaged_plan_is_an_error_for_every_command(text):
    paths = install_plan(plan())
    os.unlink(paths.plan)
    if text is None:
        os.mkdir(paths.plan)
    else:
        with open(paths.plan, "wb") as stream:
            stream.write(text)
    for command in ("apply", "status", "probe", "start-commands", "supervise", "make-templates", "enter", "reboot"):
        assert main([command, "-e", "Proj.exp", *(["a"] if command in ("enter", "reboot") else ["--json"])]) == 1
    assert main(["down", "-e", "Proj.exp", "--json"]) == 0
    assert experiments_here() == []


@sandboxed
def test_down_releases_the_machine_only_when_it_is_asked_to():
    claim_lease(Claim("Proj.exp", "a controller that is gone"))
    assert main(["down", "-e", "Proj.exp", "--json"]) == 0
    assert os.listdir(LEASES) == ["Proj.exp.json"]
    assert main(["down", "-e", "Proj.exp", "--json", "--release"]) == 0
    assert not os.path.exists(ROOT)


def test_paths_and_marks_of_two_experiments_differ():
    one, two = ExperimentPaths("Proj.exp"), ExperimentPaths("Proj.exp2")
    assert (one.directory, one.run, one.unit) == ("/var/benito/exp/Proj.exp", "/run/benito/exp/Proj.exp", "benito-host@Proj.exp.service")
    assert not two.mark.startswith(one.mark) and one.mark == "benito:Proj.exp:"
    assert one.group != two.group and one.nft_table != two.nft_table
    assert 0 < one.group < 1 << 31 and len(one.nft_table) < 32


@given(st.text())
def test_whatever_is_an_experiment_is_a_safe_path(text):
    if is_experiment(text):
        assert os.path.normpath(ExperimentPaths(text).directory) == ExperimentPaths(text).directory
        assert ExperimentPaths(text).directory.count("/") == 4
        assert text.isascii() and not set(text) & set(" \n\t/\\'\"$`;&|<>*?~%@:")
