# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""events.jsonl of an experiment: many append to it, many follow it, and it does not grow without limit."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, state_json

APPEND = """
import sys
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
events.MOST_BYTES = int(sys.argv[4])
for number in range(int(sys.argv[3])):
    assert events.append(sys.argv[1], events.event("state", state=f"{sys.argv[2]}-{number}"))
"""


@pytest.fixture(name="directory")
def fixture_directory(tmp_path):
    directory = ExperimentDirectory(str(tmp_path / "home"), "P", "e")
    directory.create({"state.json": state_json("swapped")})
    return directory


def start_appending(directory, name, count, limit=events.MOST_BYTES):
    environment = {**os.environ, "PYTHONPATH": os.path.abspath(".ansible/collections")}
    return subprocess.Popen([sys.executable, "-c", APPEND, directory.path, name, str(count), str(limit)], env=environment)


def states(found):
    return [event["state"] for event in found]


def test_an_event_says_when_what_by_whom_and_in_which_run(directory):
    directory.record(events.event("task_failed", host="m1", handled=False))
    (found,) = events.read(directory.path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert re.fullmatch(rf"{socket.gethostname()}-{os.getpid()}-\d+", found.pop("run"))
    assert found.pop("by").endswith(f"@{socket.gethostname()}")
    assert found == {"n": 1, "event": "task_failed", "host": "m1", "handled": False}


def test_every_change_of_state_is_an_event_with_its_reason(directory):
    directory.write_state("failed", "m1: no room\x1b[2J")
    directory.write_state("swapped")
    assert [(found["state"], found.get("reason")) for found in events.read(directory.path)] == [("failed", "m1: no room"), ("swapped", None)]


def test_texts_are_cleaned_and_cut(directory):
    directory.record(events.event("task_failed", message="\x1b]0;title\x07a\x00b" + "x" * 100_000 + "\n" * 100_000))
    (found,) = events.read(directory.path)
    assert found["message"].startswith("abxxx") and len(found["message"]) < 1000


@pytest.mark.parametrize("mode, expected", [(0o700, 0o600), (0o770, 0o660)])
def test_the_file_is_for_those_who_may_enter_the_directory(directory, mode, expected):
    os.chmod(directory.path, mode)
    directory.record(events.event("state", state="active"))
    assert stat.S_IMODE(os.stat(directory.file("events.jsonl")).st_mode) == expected


def test_nothing_is_written_and_nothing_fails_without_the_experiment(tmp_path):
    assert not events.append(str(tmp_path / "none"), events.event("state", state="active"))
    assert os.listdir(tmp_path) == [] and events.read(str(tmp_path / "none")) == []


def test_processes_that_append_at_once_lose_nothing_and_number_all_of_it(directory):
    processes = [start_appending(directory, name, 200) for name in "abc"]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    found = events.read(directory.path)
    assert [event["n"] for event in found] == list(range(1, 601))
    for name in "abc":
        assert [state for state in states(found) if state.startswith(name)] == [f"{name}-{number}" for number in range(200)]


def test_a_file_that_is_cut_meanwhile_loses_old_events_only_and_a_follower_sees_none_twice(directory):
    reader = events.EventReader(directory.path)
    processes = [start_appending(directory, name, 300, limit=20_000) for name in "ab"]
    found = []
    while any(process.poll() is None for process in processes):
        found += reader.poll()
        assert os.path.getsize(directory.file("events.jsonl")) < 25_000 if found else True
    found += reader.poll()
    numbers = [event["n"] for event in found]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 600
    kept = events.read(directory.path)
    assert [event["n"] for event in kept] == list(range(kept[0]["n"], 601)) and kept[0]["n"] > 400
    assert not [name for name in os.listdir(directory.path) if name.startswith(".new-")]


def test_a_follower_sees_the_end_of_a_file_that_was_cut_and_goes_on_in_the_new_one(directory, monkeypatch):
    monkeypatch.setattr(events, "MOST_BYTES", 2000)
    with events.EventReader(directory.path) as reader:
        seen = []
        for number in range(40):
            directory.record(events.event("state", state=str(number)))
            if number % 4 == 3:  # a cut comes between two looks
                seen += reader.poll()
    assert states(seen) == [str(number) for number in range(40)] and len(events.read(directory.path)) < 20


def test_half_a_line_of_a_killed_process_spoils_no_other(directory):
    directory.record(events.event("state", state="first"))
    with open(directory.file("events.jsonl"), "a", encoding="utf-8") as file:
        file.write('{"n":2,"event":"sta')
    directory.record(events.event("state", state="second"))
    assert [(found["n"], found["state"]) for found in events.read(directory.path)] == [(1, "first"), (2, "second")]


@pytest.mark.parametrize("line", ["", "null", "[]", '{"n":"7","event":"state"}', '{"event":"state"}', '{"n":true,"event":"state"}', "[" * 5000, "\x00\xff"])
def test_a_line_that_is_no_event_is_left_out(directory, line):
    directory.record(events.event("state", state="first"))
    with open(directory.file("events.jsonl"), "a", encoding="latin-1") as file:
        file.write(f"{line}\n")
    directory.record(events.event("state", state="second"))
    assert states(events.read(directory.path)) == ["first", "second"]


def test_a_reader_may_begin_after_what_it_knows(directory):
    for state in ("a", "b", "c"):
        directory.record(events.event("state", state=state))
    assert states(events.read(directory.path, after=2)) == ["c"]


def test_a_follower_gets_events_as_they_come_and_ends_with_the_experiment(directory):
    following = events.follow(directory.path)
    assert next(following) is None
    directory.record(events.event("state", state="active"))
    assert next(found for found in following if found)["state"] == "active"
    directory.remove()
    assert [found["state"] for found in following if found] == ["terminated"]


def test_a_follower_sees_an_experiment_that_was_made_again(directory):
    with events.EventReader(directory.path) as reader:
        for state in ("a", "b"):
            directory.record(events.event("state", state=state))
        assert states(reader.poll()) == ["a", "b"]
        directory.remove()
        directory.create({"state.json": state_json("swapped")})
        directory.record(events.event("state", state="new"))
        assert states(reader.poll()) == ["terminated", "new"]


def test_another_process_that_keeps_the_lock_holds_up_no_run_for_long(directory, monkeypatch):
    directory.record(events.event("state", state="a"))
    monkeypatch.setattr(events, "_LOCK_LIMIT_S", 0.1)
    command = ["flock", directory.file("events.jsonl"), "-c", "echo locked; sleep 30"]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert holder.stdout.readline() == "locked\n"
    try:
        assert not directory.record(events.event("state", state="b"))
    finally:
        os.killpg(holder.pid, 9)
        holder.wait()
    assert directory.record(events.event("state", state="c")) and states(events.read(directory.path)) == ["a", "c"]


def test_each_line_is_one_json_object(directory):
    directory.record(events.event("state", state="a\nb"))
    (line,) = open(directory.file("events.jsonl"), encoding="utf-8").read().splitlines()
    assert json.loads(line)["state"] == "a\nb"
