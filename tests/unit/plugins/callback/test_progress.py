# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-playbook prints with the callback deter.benito.progress: in a pipe, on a terminal, in playbooks of the collection and in others.

The playbooks lie in a copy of the collection, so that these tests can have phases of their own.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import runs_of

ROOT = Path(__file__).parents[4]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
SAY = """
from ansible.plugins.action import ActionBase
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine, display, show_phases
import time

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        for host, text in self._task.args.get("lines", []):
            display.display(ProgressLine(text, host, 3))
        if "phases" in self._task.args:
            with show_phases(2) as report:
                for text in self._task.args["phases"]:
                    report(text)
        time.sleep(self._task.args.get("seconds", 0))
        return {"changed": True, **self._task.args.get("returns", {})}
"""
RUNNER = """
import ansible_runner, json, sys
run = ansible_runner.run(private_data_dir=sys.argv[1], playbook=sys.argv[2], inventory="localhost,", quiet=True)
tasks = [event["event_data"]["task"] for event in run.events if event["event"] == "runner_on_ok"]
print(json.dumps([run.rc, tasks, run.stdout.read()]))
"""
PLAY = "- name: {name}\n  hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
IN_PHASES = PLAY.format(name="Bake the bread") + """
    - {name: Knead the dough, deter.benito.say: {}}
    - {name: Warn, deter.benito.say: {returns: {warnings: ["the oven is cold"]}}}
    - name: Show the bread
      ansible.builtin.debug:
        msg: ["BREAD  GRAMS", "rye    500"]
""" + PLAY.format(name="Wash up") + """
    - {name: Fill the sink, ansible.builtin.command: "true"}
"""
OF_A_USER = PLAY.format(name="Mine") + """
    - {name: Change, ansible.builtin.command: echo said, register: out}
    - {name: Show, ansible.builtin.debug: {msg: "{{ out.stdout }}"}}
    - {name: Skip, ansible.builtin.debug: {msg: no}, when: false}
    - {name: Loop, ansible.builtin.command: "echo {{ item }}", loop: [1, 2]}
"""


@pytest.fixture(name="collections", scope="module")
def fixture_collections(tmp_path_factory):
    collections = tmp_path_factory.mktemp("collections")
    benito = collections / "ansible_collections" / "deter" / "benito"
    shutil.copytree(ROOT / "plugins", benito / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "meta", "playbooks"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, benito / name)
    (benito / "plugins" / "action" / "say.py").write_text(SAY)
    (benito / "plugins" / "modules" / "say.py").write_text("")
    return collections


@pytest.fixture(name="command")
def fixture_command(collections, tmp_path):
    """Return ``command(playbook text, *options, of_user=False)``: the command line and environment that run it, as one of the collection or of a user."""

    def prepare(text, *options, of_user=False, **environment):
        if text.startswith("- "):
            playbook = tmp_path / "mine.yml" if of_user else collections / "ansible_collections" / "deter" / "benito" / "playbooks" / f"{tmp_path.name}.yml"
            playbook.write_text(text)
        else:
            playbook = text
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        environment = {
            **kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_STDOUT_CALLBACK": "deter.benito.progress", "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1", "TERM": "xterm",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "BENITO_HOME": str(tmp_path / "home"), **environment,
        }
        return {"args": ["ansible-playbook", "-i", "localhost,", str(playbook), *options], "env": environment, "cwd": tmp_path}

    return prepare


@pytest.fixture(name="in_pipe")
def fixture_in_pipe(command):
    def run(*arguments, **options):
        return subprocess.run(**command(*arguments, **options), capture_output=True, text=True, check=False, timeout=120)

    return run


def on_terminal(prepared):
    """Run a command in a pseudo terminal. Return what it wrote, and the lines that are on the screen in the end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(**prepared, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    written = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # the last process has closed it
            break
        if not data:
            break
        written += data
    os.close(master)
    assert process.wait(60) == 0
    text = written.decode()
    lines = [re.split(r"\r\x1b\[K", line)[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return text, lines


def test_a_phase_is_one_line_and_what_is_shown_is_plain_text(in_pipe):
    done = in_pipe(IN_PHASES)
    bake, *shown, wash, end, rest = re.sub(r"\d+ s$", "N s", done.stdout, flags=re.MULTILINE).split("\n")
    assert (bake, shown, wash) == ("bake the bread, N s", ["BREAD  GRAMS", "rye    500"], "wash up, N s")
    assert (end, rest) == ("done, 3 changes, N s", "")
    assert done.stderr.count("the oven is cold") == 1 and done.returncode == 0


def test_there_is_a_sign_of_life_every_five_seconds_in_plain_lines(command):
    slow = PLAY.format(name="Bake the bread") + "    - {name: Knead the dough, deter.benito.say: {}}\n    - {name: Bake it, deter.benito.say: {seconds: 13}}\n"
    process = subprocess.Popen(**command(slow), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    written, times = b"", [time.monotonic()]
    while data := os.read(process.stdout.fileno(), 65536):
        written += data
        times.append(time.monotonic())
    assert process.wait(60) == 0
    assert max(after - before for before, after in zip(times[1:], times[2:], strict=False)) < 5.5
    text = written.decode()
    assert not CONTROL.search(text)
    assert re.fullmatch(r"bake it, \d s\n  \d+ s\nbake the bread, 1\d s\ndone, 2 changes, 1\d s\n", text), text


def test_on_a_terminal_the_line_of_the_phase_is_written_again_in_place(command):
    text, lines = on_terminal(command(IN_PHASES.replace("say: {}", "say: {seconds: 2}")))
    assert re.search(r"\r\x1b\[K\[-{20}\] knead the dough, 1 s", text)
    assert [re.sub(r"\d+ s$", "N s", line) for line in lines] == [
        "[WARNING]: the oven is cold", "[####################] bake the bread, N s", "BREAD  GRAMS", "rye    500", "[####################] wash up, N s",
        "done, 3 changes, N s", ""]


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"BENITO_PROGRESS": "lines"}])
def test_a_terminal_that_cannot_or_shall_not_do_that_gets_plain_lines(command, environment):
    text, _lines = on_terminal(command(IN_PHASES.replace("say: {}", "say: {seconds: 1}"), **environment))
    assert "\x1b" not in text and "\r" not in text.replace("\r\n", "") and "#" not in text


def test_what_a_task_says_is_in_the_line_of_its_phase(in_pipe):
    said = PLAY.format(name="Provide") + """
    - {name: Provide, deter.benito.say: {phases: ["image a: fetching", "image a: packing", "image b: fetching"], seconds: 6}}
    - name: Boot
      deter.benito.say:
        lines: [[p0, 1 of 2 virtual machines are up], [p1, 0 of 3 virtual machines are up], [p1, 2 of 4 system containers are up]]
        seconds: 6
"""
    said = said.replace("Provide\n", "Provide the images\n", 1)
    text = in_pipe(said).stdout
    assert re.match(r"provide the images 1/2, image b: fetching, [45] s\n", text)
    assert ", nodes booted 3/9, " in text.replace("\n  ", ", ") and "are up" not in text


def test_a_playbook_of_a_user_prints_what_it_prints_with_the_default_callback(in_pipe):
    ours, default = (in_pipe(OF_A_USER, of_user=True, ANSIBLE_STDOUT_CALLBACK=name) for name in ("deter.benito.progress", "ansible.builtin.default"))
    assert ours.stdout == default.stdout and "changed: [localhost]" in ours.stdout


def test_what_tasks_say_in_a_playbook_of_a_user_is_printed_as_lines(in_pipe):
    said = PLAY.format(name="Mine") + "    - {name: Provide, deter.benito.say: {phases: ['image a: fetching'], lines: [[p0, at work]]}}\n"
    assert "\np0: at work (3 s)\nimage a: fetching\nchanged: [localhost]" in in_pipe(said, of_user=True).stdout


@pytest.mark.parametrize("option", ["-v", "--check"])
def test_verbose_and_check_bring_ansibles_own_output_back(in_pipe, option):
    ours, default = (in_pipe(IN_PHASES, option, ANSIBLE_STDOUT_CALLBACK=name).stdout for name in ("deter.benito.progress", "ansible.builtin.default"))
    timings = re.compile(r'"(delta|start|end)": "[^"]*"')
    assert timings.sub("", ours) == timings.sub("", default) and "TASK [Knead the dough]" in ours


def test_a_user_may_mix_his_plays_with_those_of_the_collection(in_pipe, collections):
    (collections / "ansible_collections" / "deter" / "benito" / "playbooks" / "bake.yml").write_text(IN_PHASES)
    mixed = "- import_playbook: deter.benito.bake\n" + OF_A_USER
    text = in_pipe(mixed, of_user=True).stdout
    assert re.match(r"bake the bread, \d s\nBREAD  GRAMS\nrye    500\nwash up, \d s\n\nPLAY \[Mine\]", text)
    assert "TASK [Change]" in text and "Knead" not in text and "PLAY RECAP" in text


def test_a_failure_ends_its_phase_and_is_said_once_at_the_end(in_pipe):
    failing = PLAY.format(name="Bake the bread") + """
    - {name: Knead the dough, ansible.builtin.fail: {msg: no flour here}}
""" + IN_PHASES
    done = in_pipe(failing)
    text = done.stdout + done.stderr
    assert done.returncode == 2 and text.count("no flour here") == 1 and "wash" not in text
    assert re.match(r"Knead the dough: failed: \[localhost\]\n\nPLAY RECAP", done.stdout), done.stdout
    assert done.stdout.rstrip().endswith("fatal: [localhost]: no flour here")


def test_a_failure_that_the_playbook_handles_is_named_where_it_happens(in_pipe):
    handled = PLAY.format(name="Bake the bread") + """
    - block:
        - {name: Knead the dough, ansible.builtin.fail: {msg: no flour here}}
      rescue:
        - {name: Buy bread, ansible.builtin.command: "true"}
"""
    text = in_pipe(handled).stdout
    assert re.fullmatch(r"Knead the dough: failed: \[localhost\], and the playbook goes on \(-v shows why\)\nbake the bread, \d+ s\ndone, 1 .*\n", text), text


def test_two_playbooks_in_one_command_are_two_runs(in_pipe, collections):
    (collections / "ansible_collections" / "deter" / "benito" / "playbooks" / "bake.yml").write_text(IN_PHASES)
    text = in_pipe("deter.benito.bake", "deter.benito.bake").stdout
    assert re.fullmatch(r"(bake the bread, \d+ s\nBREAD  GRAMS\nrye    500\nwash up, \d+ s\ndone, .* changes, \d+ s\n){2}", text), text


@pytest.mark.parametrize("callback", ["deter.benito.progress", "ansible.builtin.default"])
def test_ansible_runner_has_the_events_of_every_task(command, tmp_path, callback):
    prepared = command(IN_PHASES)
    folder = tmp_path / "runner"
    folder.mkdir()
    environment = {**prepared["env"], "ANSIBLE_STDOUT_CALLBACK": callback}
    program = [sys.executable, "-c", RUNNER, str(folder), prepared["args"][-1]]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)
    status, tasks, text = json.loads(done.stdout)
    assert (status, tasks) == (0, ["Knead the dough", "Warn", "Show the bread", "Fill the sink"])
    assert ("TASK [Knead" in text) == (callback == "ansible.builtin.default") and "BREAD  GRAMS" in text


def test_a_phase_with_nothing_to_do_has_no_line(in_pipe):
    text = in_pipe(PLAY.format(name="Idle") + "    - {name: Skip, ansible.builtin.debug: {msg: no}, when: false}\n").stdout
    assert re.fullmatch(r"done, nothing changed, \d s\n", text)


# -- events of a run ---------------------------------------------------------

CREATE = ("-e", "pid=P", "-e", "eid=e", "-e", f"topology={ROOT}/examples/quickstart/quickstart.xml", "-e", "image=false")
SLOW_RUN = PLAY.format(name="Bake the bread") + """
    - {name: Begin, deter.benito.swap_begin: {pid: P, eid: e, operation: swapin}}
    - {name: Show the bread, ansible.builtin.debug: {msg: baking}}
    - {name: Bake it, deter.benito.say: {seconds: 60}}
"""


@pytest.fixture(name="created")
def fixture_created(in_pipe, tmp_path):
    """Return the directory of an experiment that was just created."""
    done = in_pipe("deter.benito.containerize", *CREATE)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(tmp_path / "home" / "proj" / "P" / "exp" / "e")


def begin_slow_run(command):
    process = subprocess.Popen(**command(SLOW_RUN), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    while b"baking" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(1)  # Ansible loses an interrupt while it starts the next task
    return process


def test_a_run_is_recorded_from_its_beginning_to_its_end(created):
    found = events.read(created)
    assert [event["event"] for event in found] == ["state", "run_began", "phase_began", "phase_progress", "phase_ended", "run_ended"]
    assert len({event["run"] for event in found}) == 1
    (run,) = runs_of(found)
    assert (run.playbook, run.status, [phase.name for phase in run.phases]) == ("containerize", "successful", ["experiment created"])


def test_a_run_that_checks_is_not_recorded(created, in_pipe):
    before = events.read(created)
    assert in_pipe("deter.benito.terminate", "--check", "-e", "pid=P", "-e", "eid=e").returncode == 0
    assert events.read(created) == before


def test_a_run_that_only_looks_is_not_recorded(created, in_pipe):
    before = events.read(created)
    done = in_pipe("deter.benito.show", "-e", "pid=P", "-e", "eid=e")
    assert done.returncode == 0, done.stdout + done.stderr
    assert events.read(created) == before


def test_a_verbose_run_is_recorded_too(created, in_pipe):
    assert in_pipe(SLOW_RUN.replace("60", "0"), "-v").returncode == 0
    assert [run.status for run in runs_of(events.read(created))] == ["successful", "successful"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_is_interrupted_and_one_that_runs_is_running(created, command, number):
    process = begin_slow_run(command)
    assert runs_of(events.read(created))[-1].status == "running"
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    run = runs_of(events.read(created))[-1]
    assert run.status == "interrupted" and bool(run.ended) == (number == signal.SIGINT)


def test_a_failure_is_recorded_with_its_message_and_without_control_characters(created, in_pipe):
    failing = SLOW_RUN.replace("deter.benito.say: {seconds: 60}", r'ansible.builtin.fail: {msg: "burnt\e[31m"}')
    assert in_pipe(failing).returncode == 2
    run = runs_of(events.read(created))[-1]
    assert run.status == "failed" and [(failure["task"], failure["message"]) for failure in run.failures] == [("Bake it", "burnt")]
