# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fixtures of conftest.py hand out: runs of playbooks, and a testbed's pnodes over SSH."""

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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ansible_runner
import yaml

ROOT = Path(__file__).resolve().parents[2]
SAID_BY_SSH = r"^((Shared c|C)onnection to \S+ closed\.|ControlSocket \S+ already exists, disabling multiplexing)\n"
EVERY_NODE = "vnodes:kind_embedded_pnode"  # of an experiment, as Ansible's pattern
STATE_PROGRAM = Path(__file__).with_name("machine_state.py")


@dataclass(frozen=True)
class Run:
    """A playbook that ran.

    rc      exit status of ansible-playbook
    events  ansible-runner's events, dicts
    stats   {"ok": {host: count}, "changed": …, "failures": …, "dark": …}; empty where no play began
    stdout  what the user would have read
    """

    rc: int
    events: tuple[dict, ...]
    stats: dict
    stdout: str

    @property
    def changed(self) -> int:
        """How many tasks said changed, over all hosts."""
        return sum(self.stats.get("changed", {}).values())

    def task(self, name: str) -> list[dict]:
        """The results of the task ``name`` (as written, or with its role before it), one dict for each host."""
        return [event["event_data"]["res"] for event in self.events
                if event["event"] in ("runner_on_ok", "runner_on_failed") and event["event_data"]["task"].split(" : ")[-1] == name]

    @property
    def failures(self) -> list[str]:
        """The messages of failed tasks, and of hosts that were not reached."""
        failed = [event["event_data"] for event in self.events if event["event"] in ("runner_on_failed", "runner_on_unreachable")]
        return [f"{data['host']}: {data['res'].get('msg', data['res'])}" for data in failed if not data.get("ignore_errors")]


class Runner:
    """Runs playbooks of the collection through ansible-runner, from the repository's root, with a BENITO_HOME of the tests' own."""

    def __init__(self, home: Path, folder: Path):
        self._home, self._folder, self._number = home, folder, itertools.count()

    def __call__(self, name: str, *, fails: bool = False, check: bool = False, diff: bool = False, cmdline: str = "", **variables) -> Run:
        """Run ``deter.benito.<name>`` with extra ``variables``. Asserts that it succeeds, or that it does not where ``fails``.

        check, diff  as ansible-playbook's options; cmdline  further ones
        """
        folder = self._folder / f"{next(self._number):03d}-{name}"
        folder.mkdir()
        options = " ".join([cmdline, "--check" * check, "--diff" * diff]).strip()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            result = ansible_runner.run(
                private_data_dir=str(folder), project_dir=str(ROOT), playbook=f"deter.benito.{name}", extravars=variables, envvars=self.environment(),
                cmdline=options or None, quiet=True, rotate_artifacts=0,
            )
        finally:  # ansible-runner sets its own for good
            for number, handler in handlers.items():
                signal.signal(number, handler)
        if result.status == "canceled":  # by one of those signals
            raise KeyboardInterrupt
        stdout = result.stdout.read()
        run = Run(result.rc, tuple(result.events), result.stats or {}, stdout)
        print(stdout)  # pytest shows it when the test fails
        assert (run.rc != 0) == fails, f"{name} ended with status {run.rc}:\n{stdout[-6000:]}"
        return run

    def environment(self) -> dict[str, str]:
        """What a shell of these tests exports before ansible-playbook or ansible-inventory."""
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

    def ssh(self, pnode: str, command: str, *, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess:
        """``command`` in a shell of ``pnode``; text output. Fails the test where it fails, unless ``check`` is false."""
        host = self.hosts[pnode]
        options = ["-i", host["ansible_ssh_private_key_file"], *shlex.split(host["ansible_ssh_common_args"])]
        target = f"{host['ansible_user']}@{host['ansible_host']}"
        done = subprocess.run(["ssh", *options, target, command], input=stdin, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"{pnode}: {command}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def state(self, pnode: str) -> dict:
        """The snapshot of ``pnode`` as of machine_state.py."""
        return json.loads(self.ssh(pnode, "python3 -", stdin=STATE_PROGRAM.read_text()).stdout)


class Experiment:
    """One that was containerized, with what tests ask of it."""

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
        """What its pnodes know of its nodes, and the ends of consoles, which pytest shows when the test fails."""
        lent = json.loads((self.path / "allocation.json").read_text())["hosts"] if (self.path / "allocation.json").exists() else {}
        for vhost in lent:
            look = f"benito-host status -e {self.name} --json; tail -n 5 /run/benito/vm/*/console.d/log 2>&1"
            print(f"{vhost}: {self.ssh(vhost, look, check=False).stdout}")

    def ssh(self, vhost, command, **options):
        return self._testbed.ssh(self.pnode_of(vhost), command, **options)

    def enter(self, vhost, node, command, **options):
        return self.ssh(vhost, f"benito-host enter -e {self.name} {node} -- {command}", **options)


def ansible(pool, experiment, hosts, command):
    """{host: standard output} of a shell command by ``ansible``; fails the test where it fails anywhere.

    pool  what the fixture of that name gives
    """
    identity = [part for name, value in experiment.identity.items() for part in ("-e", f"{name}={value}")]
    done = subprocess.run(["ansible", hosts, *identity, "-m", "ansible.builtin.raw", "-a", command], env={**os.environ, **pool[0].environment()},
                          cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    text = re.sub(SAID_BY_SSH, "", done.stdout.replace("\r\n", "\n"), flags=re.MULTILINE)  # the module raw has a terminal
    found = re.split(r"^(\S+) \| CHANGED \| rc=0 >>\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], (output.strip() for output in found[1::2]), strict=True))


@contextmanager
def experiments(playbook, testbed, home, eid, folder, before_they_go=lambda experiment: None):
    """``make(topology text, name="topology.xml", pid="Test", **options)``: an Experiment, containerized from a file of that name.

    All of them are gone afterwards whatever happens.

    They have no pictures unless ``image=True``. folder  where topologies are written; before_they_go  called with each of them
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
            before_they_go(experiment)
            if experiment.path.exists():
                playbook("terminate", **experiment.identity)


def wait_until(what, condition, limit_s=60.0):
    """Until ``condition()`` is true. Fails the test with ``what`` it waited for."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s:.0f} s for {what}"
        time.sleep(0.2)
