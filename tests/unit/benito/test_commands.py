# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that need no machines: they create, list and show experiments, and say what is wrong in a sentence."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import SETTINGS
from ansible_collections.deter.benito.plugins.module_utils.settings.site_settings import load_site
from typer.testing import CliRunner

from benito.main import make_app

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart" / "quickstart.xml"


def test_a_created_experiment_is_listed_with_its_state_nodes_pnodes_and_age(created):
    lines = created("list").stdout.splitlines()
    assert lines[0].split() == ["EXPERIMENT", "STATE", "NODES", "PNODES", "AGE"]
    assert ["DeterTest/first", "swapped", "8", "2"] in [line.split()[:4] for line in lines]
    entry = json.loads(created("list", "--json").stdout)[0]
    assert {key: entry[key] for key in ("name", "state", "reason", "nodes", "pnodes")} == {
        "name": "DeterTest/first", "state": "swapped", "reason": "", "nodes": 8, "pnodes": 2}
    assert 0 <= entry["age_s"] < 600 and "T" in entry["since"]


def test_an_experiment_whose_state_cannot_be_read_is_listed_as_broken(created, home):
    broken = home / "proj" / "DeterTest" / "exp" / "broken"
    shutil.copytree(home / "proj" / "DeterTest" / "exp" / "first", broken)
    try:
        (broken / "state.json").write_text("{")
        (broken / "assignment.yaml").write_text("- 1")
        line = next(line for line in created("list").stdout.splitlines() if "DeterTest/broken" in line)
        assert line.split()[1:4] == ["broken", "-", "-"] and "state.json is broken" in line
    finally:
        shutil.rmtree(broken)


def test_an_experiment_that_is_swapped_out_has_a_state_and_no_nodes_to_show(created):
    done = created("show", "DeterTest/first")
    assert done.returncode == 0 and done.stdout.startswith("experiment DeterTest/first is swapped since ")
    found = json.loads(created("show", "DeterTest/first", "--json").stdout)
    assert (found["experiment"], found["state"], found["nodes"], found["failures"]) == ("DeterTest/first", "swapped", [], [])


def test_the_log_is_the_activity_log_for_people_and_the_events_for_programs(created):
    lines = created("log", "DeterTest/first").stdout.splitlines()
    assert " created from " in lines[0] and any("Kinds: 8 process" in line for line in lines)
    found = [json.loads(line) for line in created("log", "DeterTest/first", "--json").stdout.splitlines()]
    assert all("T" in entry["time"] for entry in found) and "run_ended" in [entry["event"] for entry in found]


def test_paths_are_relative_to_the_folder_of_the_caller(created, home):
    work = home.parent / "work"
    shutil.copy(QUICKSTART, work / "mine.xml")
    (work / "site.yml").write_text("seed: 5\n")
    done = created("create", "DeterTest/group/near", "mine.xml", "--site", "site.yml", "--set", "packing=8", "--no-image", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["experiment"] == "DeterTest/group/near" and len(found["assignment"]) == 1
    assert load_site(os.path.join(found["directory"], "site.yml"), {}, required=True).seed == 5
    done = created("graph", "DeterTest/group/near", "--out", "near.svg")
    assert done.stdout == f"{work / 'near.svg'}\n" and "<svg" in (work / "near.svg").read_text()


def test_the_original_calling_form_creates_the_same(created, home):
    done = created("containerize", "DeterTest", "second", str(QUICKSTART), "4", "--no-image", "--json")
    assert done.returncode == 0, done.stderr
    names = (home / "proj" / "DeterTest" / "exp" / name / "assignment.yaml" for name in ("first", "second"))
    assert len({name.read_text() for name in names}) == 1


def test_every_setting_is_an_option(benito):
    text = benito("create", "--help").stdout
    missing = [setting.name for setting in SETTINGS if f"--{setting.name.replace('_', '-')} " not in text]
    assert missing == []


def test_a_list_or_an_object_is_given_in_short_or_as_json(created):
    for number, words in enumerate((("--kind-map", "process=openvz"), ("--set", 'kind-map={"process": "openvz"}'))):
        done = created("create", f"DeterTest/kinds{number}", str(QUICKSTART), "--no-image", *words)
        assert "Kinds: 8 openvz" in done.stdout, done.stdout + done.stderr


@pytest.fixture(name="here")
def fixture_here(created, home, monkeypatch):
    """Return ``here("log", …, NAME="value")``, which runs a command in this process and returns typer's result, whose returncode is the exit status."""
    monkeypatch.chdir(home.parent / "work")
    monkeypatch.delenv("BENITO_EXPERIMENT", raising=False)

    def run(*words, **variables):
        result = CliRunner().invoke(make_app(), words, env={"BENITO_HOME": str(home), **variables}, prog_name="benito")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        result.returncode = result.exit_code
        return result

    return run


# --- what is wrong is said in a sentence, with an exit status ----------------------------------------


def failing(done, status, *texts):
    """Assert that a command failed with this status, that its sentence has these texts, and that it printed no result."""
    assert done.returncode == status, done.stdout + done.stderr
    assert all(text in done.stderr for text in texts), done.stderr
    assert done.stdout == ""
    return True


@pytest.mark.parametrize("words", [("show", "nothing"), ("swapin", "a/b/c/d"), ("log", "/x"), ("terminate", "../etc/x"), ("list", "--nosuch"), ("nosuch",),
                                   ("wait", "DeterTest/first", "--until", "tea"), ("wait", "DeterTest/first", "--timeout", "-1"), ("create", "DeterTest/x"),
                                   ("create", "DeterTest/x", "f", "--set", "nosuch=1"), ("create", "DeterTest/x", "f", "--set", "packing"),
                                   ("reboot", "DeterTest/first"), ("show", "DeterTest/é"), ("show", "{{ lookup('pipe', 'id') }}/x")])
def test_a_wrong_command_line_has_status_2(here, words):
    assert failing(here(*words), 2)


@pytest.mark.parametrize("command", ["swapin", "swapout", "terminate", "show", "watch", "wait", "log", "graph"])
def test_an_experiment_that_does_not_exist_is_named_with_those_that_do(here, command):
    assert failing(here(command, "DeterTest/nosuch"), 1, "benito: experiment DeterTest/nosuch does not exist below", "DeterTest/first")


def test_every_fault_of_a_topology_and_its_settings_is_reported(created):
    done = created("create", "DeterTest/bad", "nosuch.xml", "--packing", "many", "--json")
    assert failing(done, 1, "DeterTest/bad was not created: packing: 'many' is not of type 'integer'", "nosuch.xml: cannot be read")


def test_waiting_for_an_experiment_that_is_swapped_out_fails_at_once(here):
    assert failing(here("wait", "DeterTest/first", "--timeout", "60"), 1, "is swapped since", "swap it in first")


def test_a_run_leaves_no_file_of_its_own(created, home):
    assert list((home.parent / "tmp").iterdir()) == []
    assert {path.name for path in (home.parent / "work").iterdir()} <= {"mine.xml", "site.yml", "near.svg"}


# --- which experiment ---------------------------------------------------------------------------------


def activate(home, eid, state):
    path = home / "proj" / "DeterTest" / "exp" / eid / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "state": state}))


def test_the_experiment_is_the_one_of_the_environment_else_the_only_active_one(here, home):
    assert failing(here("log"), 2, "which experiment? none is active; there are", "DeterTest/first", "set BENITO_EXPERIMENT")
    assert here("log", BENITO_EXPERIMENT="DeterTest/first").returncode == 0
    activate(home, "first", "active")
    try:
        assert "created from" in here("log").stdout
        assert failing(here("log", BENITO_EXPERIMENT="first"), 2, "'first' names no experiment: write PID/EID")
        second = home / "proj" / "DeterTest" / "exp" / "another"
        shutil.copytree(home / "proj" / "DeterTest" / "exp" / "first", second)
        assert failing(here("log"), 2, "which experiment? DeterTest/another, DeterTest/first are active")
        shutil.rmtree(second)
    finally:
        activate(home, "first", "swapped")


def test_without_any_experiment_the_sentence_says_where_it_looked(here, tmp_path):
    assert failing(here("show", BENITO_HOME=str(tmp_path)), 2, f"there is none below {tmp_path}")
    done = here("list", BENITO_HOME=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no experiments\n")
    assert here("list", "--json", BENITO_HOME=str(tmp_path)).stdout == "[]\n"


# --- completion ---------------------------------------------------------------------------------------


def completed(benito, *words, **variables):
    text = " ".join(("benito", *words))
    return benito(_BENITO_COMPLETE="complete_bash", COMP_WORDS=text, COMP_CWORD=str(len(words)), **variables).stdout.split()


def test_the_shell_completes_experiments_nodes_and_values(created):
    assert all("DeterTest/first" in completed(created, command, "De") for command in ("swapin", "watch"))
    assert completed(created, "wat") == ["watch"]
    assert completed(created, "reboot", "DeterTest/first", "west-") == ["west-1", "west-2", "west-3"]
    assert completed(created, "reboot", "router-", BENITO_EXPERIMENT="DeterTest/first") == ["router-west", "router-east"]
    assert completed(created, "wait", "--until", "b") == ["booted"]
    assert completed(created, "create", "--default-container", "q") == ["qemu"]


def test_completion_of_a_broken_home_is_empty(benito, tmp_path):
    (tmp_path / "proj").write_text("no folder")
    assert completed(benito, "swapin", "De", BENITO_HOME=str(tmp_path)) == []
