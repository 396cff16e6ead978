# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How machines are reached and chosen: users who become root, names that are used twice, runs that race, machines that come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from machine_state import difference
from support import ROOT, error_of
from topologies import topdl, two_pnodes

PASSWORD = "op-secret-word"


@pytest.fixture(name="op")
def fixture_op(testbed):
    """Return ``op(rule)``, which makes a user ``op`` on every pnode whose sudo follows the rule. The user is removed in the end."""

    def make(rule):
        for pnode in testbed.pnodes:
            testbed.ssh(pnode, "useradd -m -s /bin/sh op; mkdir -p ~op/.ssh; cp ~/.ssh/authorized_keys ~op/.ssh; chown -R op: ~op/.ssh;"
                               f" echo 'op:{PASSWORD}' | chpasswd; echo 'op ALL=(ALL) {rule}' > /etc/sudoers.d/op")

    yield make
    for pnode in testbed.pnodes:
        testbed.ssh(pnode, "rm -f /etc/sudoers.d/op; pkill -KILL -u op; userdel -rf op", check=False)


@pytest.fixture(name="command")
def fixture_command(playbook):
    """Return ``command(program, experiment, *arguments)``, which starts ansible or ansible-playbook for an experiment."""

    def start(program, experiment, *arguments):
        identity = [part for key, value in experiment.identity.items() for part in ("-e", f"{key}={value}")]
        environment = {**os.environ, **playbook.environment()}
        return subprocess.Popen([os.path.join(os.path.dirname(sys.executable), program), *identity, *arguments], cwd=ROOT, env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def output_of(process):
    text = process.communicate(timeout=300)[0]
    assert process.returncode == 0, text
    return text


def test_user_who_becomes_root_by_sudo_is_as_good_as_root(made, testbed, more_hosts, op, command):
    op("NOPASSWD: ALL")
    more_hosts({pnode: {"ansible_user": "op", "ansible_become": True} for pnode in testbed.pnodes})
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    experiment = made(two_pnodes())
    experiment.play("swapin")
    assert experiment.play("swapin").changed == 0
    for node, name in (("left-a", "left-a"), ("right-c", "right-c")):
        assert f"\n{name}\n" in output_of(command("ansible", experiment, node, "-a", "hostname"))
    assert '"unit": "active"' in output_of(command("ansible", experiment, "pnode-0000", "-a", "benito-host status"))
    experiment.play("node_reboot", nodes="left-a")
    experiment.play("swapout")
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []


def test_password_of_sudo_is_kept_among_the_secrets_only_and_shown_nowhere(made, testbed, more_hosts, op, command):
    op("ALL")
    more_hosts({pnode: {"ansible_user": "op", "ansible_become": True, "ansible_become_password": PASSWORD} for pnode in testbed.pnodes})
    experiment = made(two_pnodes())
    runs = [experiment.play("swapin", cmdline="-vvv")]
    assert "\nleft-a\n" in output_of(command("ansible", experiment, "left-a", "-a", "hostname"))
    kept = {path.relative_to(experiment.path).as_posix(): path for path in experiment.path.rglob("*") if path.is_file() and PASSWORD in path.read_text()}
    assert list(kept) == ["secrets/machines.json"] and kept["secrets/machines.json"].stat().st_mode & 0o777 == 0o600
    more_hosts({pnode: {"ansible_user": "op", "ansible_become": True} for pnode in testbed.pnodes})
    runs += [experiment.play("node_reboot", nodes="left-a", cmdline="-vvv"), experiment.play("swapout", cmdline="-vvv")]
    assert not any(PASSWORD in run.stdout for run in runs)
    assert not (experiment.path / "secrets" / "machines.json").exists()


def test_password_of_sudo_that_is_not_given_is_named_with_the_machine_and_may_come_from_the_command_line(made, testbed, more_hosts, op, command, tmp_path):
    op("ALL")
    more_hosts({pnode: {"ansible_user": "op"} for pnode in testbed.pnodes})
    experiment = made(two_pnodes())
    error = error_of(experiment.play("swapin", fails=True))
    assert f"{testbed.pnodes[0]}: cannot be used: sudo wants a password, and none was given: give it with -K" in error
    assert "ansible_become_password" in error and experiment.state["state"] == "swapped"
    (tmp_path / "password").write_text(PASSWORD)
    given = ("--become-password-file", str(tmp_path / "password"))
    output_of(command("ansible-playbook", experiment, "playbooks/swapin.yml", *given))
    assert "\nleft-a\n" in output_of(command("ansible", experiment, "left-a", "-a", "hostname", *given))
    assert not any(PASSWORD in path.read_text() for path in experiment.path.rglob("*") if path.is_file())
    error = error_of(experiment.play("swapout", fails=True))
    assert f"pnode-0000 ({testbed.pnodes[0]}): " in error and "sudo wants a password, and none was given" in error
    output_of(command("ansible-playbook", experiment, "playbooks/swapout.yml", *given))


def test_nodes_and_machines_of_the_same_names_do_not_disturb_each_other(made, testbed, benito_home, more_hosts, command):
    hosts = {name: testbed.hosts[pnode] for name, pnode in zip(("a", "pnode-0000"), testbed.pnodes, strict=True)}
    experiment = made(topdl({"a": {"on": ["lan"], "partition": "0"}, "b": {"on": ["lan"], "partition": "1"}}))
    own = benito_home / "inventory" / "local_testbed_test.yml"
    aside = own.rename(own.with_name("local_testbed_test.bak"))
    try:
        more_hosts(hosts)
        experiment.play("swapin")
        domain = f".{experiment.identity['eid']}.test"
        text = output_of(command("ansible", experiment, f"a{domain}:b", "-a", "hostname"))
        assert "\na\n" in text and "\nb\n" in text and f"Say a{domain} for the node of the experiment." in text.replace("\n", " ")
        more_hosts({**hosts, "b": testbed.hosts[testbed.pnodes[0]]})  # somebody adds a machine while the experiment is active
        experiment.play("swapout")
        assert experiment.state["state"] == "swapped"
        assert all(testbed.ssh(pnode, "ls -A /var/benito", check=False).stdout == "" for pnode in testbed.pnodes)
    finally:
        aside.rename(own)


def test_of_two_experiments_that_want_the_same_machines_one_gets_all(made, testbed, command):
    both = [made(two_pnodes()), made(two_pnodes())]
    runs = [command("ansible-playbook", experiment, "playbooks/swapin.yml") for experiment in both]
    texts = [run.communicate(timeout=300)[0] for run in runs]
    order = sorted(range(2), key=lambda number: runs[number].returncode)
    winner, loser = (both[number] for number in order)
    assert [runs[number].returncode for number in order] == [0, 2], texts
    assert f"leased by {winner.name} of " in texts[order[1]]
    assert (winner.state["state"], loser.state["state"]) == ("active", "swapped")
    assert not (loser.path / "allocation.json").exists()
    winner.play("swapout")
    loser.play("swapin")
    assert loser.state["state"] == "active"


def test_of_ten_runs_of_one_experiment_one_works_and_the_others_name_it(made, testbed, command):
    nodes = {f"n{number}": {"on": ["lan"], "partition": str(number % 2)} for number in range(8)}
    experiment = made(topdl(nodes))
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    runs = [command("ansible-playbook", experiment, "playbooks/swapin.yml") for _number in range(10)]
    texts = [run.communicate(timeout=500)[0] for run in runs]
    assert sorted(run.returncode for run in runs) == [0] + [2] * 9, texts
    winner = next(run for run in runs if run.returncode == 0)
    for run, text in zip(runs, texts, strict=True):
        assert run is winner or f"process {winner.pid} on " in text or "is locked by process " in text, text
    assert experiment.state["state"] == "active"
    experiment.play("swapout")
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []


@pytest.mark.parametrize(("variables", "words"), [
    ({"benito_experiment_address": "", "benito_experiment_adress": "10.254.0.12"}, "its variable benito_experiment_adress means nothing here"),
    ({"benito_experiment_address": "10.254.0.999"}, "cannot be used: the inventory's benito_experiment_address '10.254.0.999' is not an IPv4 address"),
    ({"benito_experiment_address": "10.9.9.9"}, "benito_experiment_address 10.9.9.9, but no interface has it. The machine has "),
    ({"ansible_become": False, "ansible_user": "op"}, "cannot be used: tasks do not run as root on this machine: ansible_become is false"),
])
def test_machine_that_the_inventory_describes_wrongly_is_named_with_what_is_wrong(made, testbed, more_hosts, op, variables, words):
    op("ALL")
    more_hosts({testbed.pnodes[1]: variables})
    experiment = made(two_pnodes())
    error = error_of(experiment.play("swapin", fails=True))
    line = next(line for line in error.splitlines() if line.startswith(f"  {testbed.pnodes[1]}: "))
    assert words in line and "cannot be reached" not in error
    assert experiment.state["state"] == "swapped"


def test_machine_that_was_given_up_is_cleaned_when_it_is_back(made, testbed):
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    first, second = made(two_pnodes()), made(two_pnodes())
    first.play("swapin")
    allocation = json.loads((first.path / "allocation.json").read_text())
    allocation["hosts"]["pnode-0001"]["variables"]["ansible_port"] = 1
    (first.path / "allocation.json").write_text(json.dumps(allocation))
    first.play("swapout", forget_unreachable=True)
    assert testbed.ssh(testbed.pnodes[1], "ls /var/benito/leases").stdout == f"{first.name}.json\n"
    second.play("swapin")
    assert testbed.ssh(testbed.pnodes[1], "ls /var/benito/leases").stdout == f"{second.name}.json\n"
    second.play("swapout")
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []
