# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment directory on real file systems, with real locks and real signals."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError, InputError
from ansible_collections.deter.benito.plugins.module_utils.experiment import directory as experiment
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder

FILES = {"experiment.xml": b"<experiment/>\n", "state.json": experiment.state_json("swapped"), "route/deep/a": "", "activity.log": ""}
COLLECTIONS = os.path.abspath(".ansible/collections")


@pytest.fixture(name="directory")
def fixture_directory(tmp_path):
    return ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")


@pytest.fixture(name="made")
def fixture_made(directory):
    directory.create(FILES)
    return directory


def everything_below(path):
    return sorted(os.path.join(folder, name) for folder, folders, names in os.walk(path) for name in folders + names)


def start_python(code, *arguments):
    """A second process that runs ``code``; it prints one line when it is where the test wants it."""
    environment = {**os.environ, "PYTHONPATH": COLLECTIONS}
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


IMPORT = "from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import *; import sys, time, os\n"
SLOW_CREATION = f"""{IMPORT}
from ansible_collections.deter.benito.plugins.module_utils import files
def slow(path):
    print("writing", flush=True)
    time.sleep(30)
files._flush_file_system = slow
ExperimentDirectory(*sys.argv[1:]).create({{"a": "b", "c/d": "e"}})
"""
CREATION_AT_A_SIGN = f"""{IMPORT}
print("ready", flush=True)
while not os.path.exists(sys.argv[4]):
    time.sleep(0.001)
try:
    ExperimentDirectory(*sys.argv[1:4]).create({{"n": sys.argv[5] * 1000, "m": sys.argv[5]}})
except ExperimentError:
    sys.exit(9)
"""


def test_a_created_directory_holds_the_files_and_is_for_its_owner_alone(made, tmp_path):
    assert open(made.file("experiment.xml"), "rb").read() == b"<experiment/>\n"
    assert made.read_state().state == "swapped"
    for path in [str(tmp_path / "home"), *everything_below(tmp_path / "home")]:
        assert stat.S_IMODE(os.lstat(path).st_mode) == (0o700 if os.path.isdir(path) else 0o600), path
    assert os.listdir(os.path.dirname(made.path)) == ["example1"], "no lock and no temporary directory stays"


def test_an_existing_experiment_is_refused_and_left_untouched(made):
    before = [(path, os.lstat(path).st_mtime_ns) for path in everything_below(made.path)]
    with pytest.raises(ExperimentError, match="DeterTest/example1 exists already"):
        made.create({"experiment.xml": "other"})
    assert [(path, os.lstat(path).st_mtime_ns) for path in everything_below(made.path)] == before


@pytest.mark.parametrize("make", [os.makedirs, lambda path: os.symlink("/nowhere", path), lambda path: open(path, "w").close()])
def test_anything_in_the_place_of_an_experiment_counts_as_existing(directory, make):
    os.makedirs(os.path.dirname(directory.path))
    make(directory.path)
    with pytest.raises(ExperimentError, match="exists already"):
        directory.create(FILES)


@pytest.mark.parametrize("name", ["", "..", "a/b", "-e", "a b", "a\nb", "$(reboot)", "a;b", "1a", "ä", "a" * 33, None, 7])
def test_a_name_that_could_leave_its_place_is_refused(name):
    with pytest.raises(InputError, match="is not a name"):
        ExperimentDirectory("/nowhere", "DeterTest", name)
    with pytest.raises(InputError, match="pid: .* is not a name"):
        ExperimentDirectory("/nowhere", "a/b/c" if name == "a/b" else name, "example1")
    with pytest.raises(InputError, match="pid: .* is not a name"):
        ExperimentDirectory("/nowhere", f"DeterTest/{name or ''}", "example1")


def test_the_home_is_the_option_else_the_environment_else_dot_benito(monkeypatch):
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("BENITO_HOME", "/srv/benito")
    assert [experiment.benito_home("~/b"), experiment.benito_home()] == ["/home/u/b", "/srv/benito"]
    monkeypatch.setenv("BENITO_HOME", "")
    assert experiment.benito_home(None) == "/home/u/.benito"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("options, message", [("size=64k", "No space left"), ("ro", "Read-only"), ("nr_inodes=9", "No space left")])
def test_a_disk_that_cannot_take_it_gets_one_error_and_nothing_stays(tmp_path, options, message):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(ExperimentError, match=message):
            ExperimentDirectory(str(tmp_path / "home"), "p", "e").create({**FILES, "big": b"x" * 100_000})
        assert not everything_below(tmp_path)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_home_that_is_a_file_gets_one_error(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(ExperimentError, match="cannot lock experiment p/e below .*home: (Not a directory|File exists)"):
        ExperimentDirectory(str(tmp_path / "home"), "p", "e").create(FILES)
    assert everything_below(tmp_path) == [str(tmp_path / "home")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_told_to_stop_leaves_nothing(directory, tmp_path, number):
    process = start_python(SLOW_CREATION, directory.home, "DeterTest", "example1")
    assert [name for name in os.listdir(os.path.dirname(directory.path)) if ".new-" in name]
    process.send_signal(number)
    assert process.wait(10) != 0
    assert not everything_below(tmp_path)


def test_what_a_killed_run_left_is_cleaned_by_the_next(directory):
    process = start_python(SLOW_CREATION, directory.home, "DeterTest", "example1")
    process.kill()
    process.wait()
    assert not directory.exists()
    directory.create(FILES)
    assert os.listdir(os.path.dirname(directory.path)) == ["example1"]


def test_a_second_run_is_told_who_holds_the_lock(made):
    process = start_python(
        IMPORT + "with ExperimentDirectory(*sys.argv[1:]).lock():\n    print('locked', flush=True)\n    time.sleep(30)", made.home, "DeterTest", "example1"
    )
    try:
        with pytest.raises(ExperimentError, match=f"locked by process {process.pid} on .* since 20.*: wait"), made.lock():
            pass
        with pytest.raises(ExperimentError, match="locked by"):
            made.create(FILES)
    finally:
        process.kill()
        process.wait()
    with made.lock():
        pass
    assert os.listdir(os.path.dirname(made.path)) == ["example1"]


def test_ten_runs_that_create_the_same_experiment_make_one(directory):
    go = directory.home + ".go"
    processes = [start_python(CREATION_AT_A_SIGN, directory.home, "DeterTest", "example1", go, str(number)) for number in range(10)]
    open(go, "w").close()
    assert sorted(process.wait(20) for process in processes) == [0] + [9] * 9
    assert directory.read("n") == directory.read("m") * 1000


def test_locking_what_does_not_exist_leaves_no_trace(directory, tmp_path):
    with directory.lock():
        pass
    assert not everything_below(tmp_path)


def test_a_write_replaces_the_whole_file_or_nothing(made):
    assert made.write("plan/pnode-0000.json", "{}") is True
    assert made.write("plan/pnode-0000.json", "{}") is False
    assert made.write("plan/pnode-0000.json", "[]") is True
    assert os.listdir(made.plans) == ["pnode-0000.json"]
    assert stat.S_IMODE(os.stat(made.plans).st_mode) == 0o700
    assert made.discard("plan") is True
    assert made.discard("plan") is False


def test_states_are_written_logged_and_read_again(made):
    made.write_state("failed", "pnode-0001: no space", hosts=["pnode-0001"])
    state = made.read_state()
    assert (state.state, state.reason, state.more) == ("failed", "pnode-0001: no space", {"hosts": ["pnode-0001"]})
    assert str(state) == f"failed since {state.since}: pnode-0001: no space"
    made.log_activity("two\nlines")
    log = made.read("activity.log").splitlines()
    assert [line.split(" ", 1)[1] for line in log] == ["failed: pnode-0001: no space", "two", "lines"]
    assert all(line.startswith("20") for line in log)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"state": "sleeping", "since": "x"}', '{"state": "active", "since": "x", "holder": 3}', "\0"])
def test_a_broken_state_is_one_clear_error(made, text):
    made.write("state.json", text)
    with pytest.raises(ExperimentError, match="state.json (is broken|says 'sleeping')"):
        made.read_state()


def test_a_file_that_is_not_utf_8_is_one_clear_error(made):
    made.write("state.json", b"\xff")
    for read in (made.read_state, lambda: made.read("state.json")):
        with pytest.raises(ExperimentError, match="state.json is broken, it is not UTF-8: "):
            read()


def test_an_operation_begins_only_from_an_allowed_state(made):
    me = Holder.of_process()
    assert made.begin("activating", ("swapped", "failed"), me).state == "swapped"
    assert made.begin("activating", ("swapped", "failed"), me).state == "activating", "the same run may say it again"
    made.write_state("active")
    with pytest.raises(ExperimentError, match="is active since .*; this needs swapped or failed"):
        made.begin("activating", ("swapped", "failed"), me)


def test_an_operation_of_a_living_run_is_not_interrupted_and_of_a_dead_one_taken_over(made):
    other = subprocess.Popen(["sleep", "30"])
    made.begin("activating", ("swapped",), Holder.of_process(other.pid))
    with pytest.raises(ExperimentError, match=f"is activating: process {other.pid} on .* is at it since 20"):
        made.begin("swapping", ("active",), Holder.of_process())
    other.kill()
    other.wait()
    assert made.begin("swapping", ("active",), Holder.of_process()).state == "activating"


def test_a_reused_process_id_is_not_the_holder():
    me = Holder.of_process()
    assert me.lives()
    assert not Holder(me.process, me.host, me.started + 1).lives()


def test_removing_takes_the_empty_project_too_but_not_the_home(made):
    os.makedirs(os.path.join(made.home, "inventory"))
    made.remove()
    assert os.listdir(made.home) == ["inventory"]
    with pytest.raises(ExperimentError, match="does not exist below .*: there is none yet"):
        made.remove()


def test_removing_keeps_other_experiments(made):
    other = ExperimentDirectory(made.home, "DeterTest", "example2")
    other.create(FILES)
    made.remove()
    assert experiment.experiments(made.home) == [("DeterTest", "example2")]
    with pytest.raises(ExperimentError, match="there are DeterTest/example2"):
        made.read_state()


def test_the_state_file_is_readable_by_a_person(made):
    made.write_state("activating", holder=Holder.of_process())
    assert list(json.loads(made.read("state.json"))) == ["state", "since", "holder"]
    assert made.read_state().holder == Holder.of_process()


def test_thousands_of_files_are_written_in_seconds(directory):
    started = time.process_time()
    directory.create({f"route/n-{number}": "x\n" * 10 for number in range(2000)})
    assert time.process_time() - started < 5
