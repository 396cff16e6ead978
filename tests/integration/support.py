# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that the fixtures of conftest.py return: playbook runs, testbeds and experiments."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import ansible_runner
import yaml

ROOT = Path(__file__).resolve().parents[2]
SSH_MESSAGES = (r"^((Shared c|C)onnection to \S+ closed\.|ControlSocket \S+ already exists, disabling multiplexing"
                r"|mux_client_request_session: read from master failed: Broken pipe)\n")
EVERY_NODE = "vnodes:kind_embedded_pnode"  # Ansible's host pattern
LONGEST_S = 1800  # of a playbook run
STATE_PROGRAM = Path(__file__).with_name("machine_state.py")


@dataclass(frozen=True)
class Run:
    """A playbook run that has ended.

    rc      exit status of ansible-playbook
    events  ansible-runner's events, dicts
    stats   {"ok": {host: count}, "changed": …, "failures": …, "dark": …}; empty if no play began
    stdout  what the user would see
    """

    rc: int
    events: tuple[dict, ...]
    stats: dict
    stdout: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        return sum(self.stats.get("changed", {}).values())

    def task(self, name: str) -> list[dict]:
        """Return the results of the task ``name``, with or without its role as prefix, one dict for each host."""
        return [event["event_data"]["res"] for event in self.events
                if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task"].split(" : ")[-1] == name]

    @property
    def failures(self) -> list[str]:
        """The messages of failed tasks and of unreachable hosts."""
        failed = [event["event_data"] for event in self.events if event["event"] in ("runner_on_failed", "runner_on_unreachable")]
        return [f"{data['host']}: {data['res'].get('msg', data['res'])}" for data in failed if not data.get("ignore_errors")]


class Runner:
    """Runs playbooks of the collection with ansible-runner, from the repository's root, with a BENITO_HOME for the tests."""

    def __init__(self, home: Path, folder: Path):
        self._home, self._folder, self._number = home, folder, itertools.count()

    def __call__(self, name: str, *, fails: bool = False, check: bool = False, diff: bool = False, cmdline: str = "", **variables) -> Run:
        """Run ``deter.benito.<name>`` with extra ``variables``. It must succeed, or fail if ``fails``.

        check, diff  the options of ansible-playbook
        cmdline      further options
        """
        folder = self._folder / f"{next(self._number):03d}-{name}"
        folder.mkdir()
        options = " ".join([cmdline, "--check" * check, "--diff" * diff]).strip()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            result = ansible_runner.run(
                private_data_dir=str(folder), project_dir=str(ROOT), playbook=f"deter.benito.{name}", extravars=variables, envvars=self.environment(),
                cmdline=options or None, quiet=True, rotate_artifacts=0, settings={"job_timeout": LONGEST_S},
            )
        finally:  # ansible-runner replaces them and does not restore them
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if result.status == "canceled":  # by one of those signals
            raise KeyboardInterrupt
        stdout = result.stdout.read()
        assert result.status != "timeout", f"{name} had not ended after {LONGEST_S} s:\n{stdout[-6000:]}"
        run = Run(result.rc, tuple(result.events), result.stats or {}, stdout)
        print(stdout)  # pytest shows it when the test fails
        assert (run.rc != 0) == fails, f"{name} ended with status {run.rc}:\n{stdout[-6000:]}"
        return run

    def environment(self) -> dict[str, str]:
        """Return the environment in which these tests run ansible-playbook or ansible-inventory."""
        return {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "false",
            "ANSIBLE_NOCOLOR": "true",
            "BENITO_HOME": str(self._home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }


class Testbed:
    """The pnodes of an inventory file that deter.benito.local_testbed wrote."""

    def __init__(self, inventory: Path):
        self.inventory = inventory
        self.hosts: dict[str, dict] = yaml.safe_load(inventory.read_text())["pnode_pool"]["hosts"]

    @property
    def pnodes(self) -> list[str]:
        return list(self.hosts)

    def ssh_command(self, pnode: str, command: str) -> list[str]:
        """Return the arguments that run ``command`` in a shell of ``pnode``."""
        host = self.hosts[pnode]
        options = ["-i", host["ansible_ssh_private_key_file"], *shlex.split(host["ansible_ssh_common_args"])]
        return ["ssh", *options, f"{host['ansible_user']}@{host['ansible_host']}", command]

    def ssh(self, pnode: str, command: str, *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess:
        """Run ``command`` in a shell of ``pnode``. If it fails, the test fails, unless ``check`` is false."""
        done = run_bounded(self.ssh_command(pnode, command), 900, given=stdin)
        assert not check or done.returncode == 0, f"{pnode}: {command}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def state(self, pnode: str) -> dict:
        """Return the snapshot of ``pnode`` that machine_state.py takes."""
        return json.loads(self.ssh(pnode, "python3 -", stdin=STATE_PROGRAM.read_text()).stdout)


class Experiment:
    """An experiment that was containerized."""

    def __init__(self, playbook, testbed, home, identity):
        self._playbook, self._testbed, self.identity = playbook, testbed, identity
        project, _slash, group = identity["pid"].partition("/")
        self.path = home / "proj" / project / (f"groups/{group}" if group else "") / "exp" / identity["eid"]
        self.name = f"{project}.{identity['eid']}"

    def play(self, name, **options):
        return self._playbook(name, **self.identity, **options)

    @property
    def state(self):
        return json.loads((self.path / "state.json").read_text())

    def pnode_of(self, vhost):
        return json.loads((self.path / "allocation.json").read_text())["hosts"][vhost]["name"]

    def print_nodes(self):
        """Print the status of all nodes and the last lines of their consoles. pytest shows them if the test fails."""
        lent = json.loads((self.path / "allocation.json").read_text())["hosts"] if (self.path / "allocation.json").exists() else {}
        for vhost in lent:
            command = f"benito-host status -e {self.name} --json; tail -n 5 /run/benito/vm/*/console.d/log 2>&1"
            print(f"{vhost}: {self.ssh(vhost, command, check=False).stdout}")

    def ssh(self, vhost, command, **options):
        return self._testbed.ssh(self.pnode_of(vhost), command, **options)

    def ssh_command(self, vhost, command):
        return self._testbed.ssh_command(self.pnode_of(vhost), command)

    def enter(self, vhost, node, command, **options):
        return self.ssh(vhost, f"benito-host enter -e {self.name} {node} -- {command}", **options)


def ansible(pool, experiment, hosts, command):
    """Run a shell command on ``hosts`` with ``ansible`` and return {host: standard output}. If it fails on any host, the test fails.

    pool  the value of the fixture ``pool``
    """
    identity = [part for name, value in experiment.identity.items() for part in ("-e", f"{name}={value}")]
    done = subprocess.run(["ansible", hosts, *identity, "-m", "ansible.builtin.raw", "-a", command], env={**os.environ, **pool[0].environment()},
                          cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    text = re.sub(SSH_MESSAGES, "", done.stdout.replace("\r\n", "\n"), flags=re.MULTILINE)  # the module raw has a terminal
    found = re.split(r"^(\S+) \| CHANGED \| rc=0 >>\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], (output.strip() for output in found[1::2]), strict=True))


@contextmanager
def experiments(playbook, testbed, home, eid, folder, before_terminate=lambda experiment: None):
    """Yield ``make(topology text, name="topology.xml", pid="Test", **options)``, which containerizes a file of that name and returns an Experiment.

    All experiments are always terminated afterwards. They have no pictures unless ``image=True``.

    folder            where topologies are written
    before_terminate  called with each experiment before it is terminated
    """
    made = []

    def make(text, name="topology.xml", pid="Test", **options):
        file = folder / name
        file.write_text(text)
        identity = {"pid": pid, "eid": f"{eid}{len(made) or ''}"}
        playbook("containerize", **identity, topology=str(file), **{"image": False, **options})
        made.append(Experiment(playbook, testbed, home, identity))
        return made[-1]

    try:
        yield make
    finally:
        for experiment in made:
            before_terminate(experiment)
            if experiment.path.exists():
                playbook("terminate", **experiment.identity)


def error_of(run) -> str:
    """Return the message of the task that ended the playbook, as one text."""
    assert "Traceback" not in run.stdout
    message = [event["event_data"]["res"]["msg"] for event in run.events if event["event"] == "runner_on_failed"][-1]
    return "\n".join(message) if isinstance(message, list) else message


def run_bounded(command, seconds, given="", **options) -> subprocess.CompletedProcess:
    """Run a command with the standard input ``given``. If it has not ended after ``seconds``, end it with all its children, and fail the test with its outputs.

    options  of subprocess.Popen
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True, **options) as process:
        try:
            out, error = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            out, error = _ended(process)
            raise AssertionError(f"{' '.join(command)} had not ended after {seconds:.0f} s: {out[-4000:]}{error[-2000:]}") from None
        except BaseException:
            _ended(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def _ended(process) -> tuple[str, str]:
    """End a process and its children: let them clean up for a minute, then kill them. Return the outputs."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=60)
    return "", ""


def wait_until(what, condition, limit_s=60.0):
    """Wait until ``condition()`` is true. On timeout, the test fails and names ``what`` it waited for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s:.0f} s for {what}"
        time.sleep(0.2)
