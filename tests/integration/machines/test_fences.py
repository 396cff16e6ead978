# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two projects on the same two pnodes: a hostile node of each kind that is a fence attacks the pnodes and the other project, and nothing happens."""

from __future__ import annotations

import json
import shlex
import subprocess
import uuid
from pathlib import Path

import pytest
import support
import yaml
from machine_state import difference
from support import wait_until
from topologies import topdl

HERE = Path(__file__).parent
FRAMES = (support.ROOT / "tests/unit/host/net/frames.py").read_text()
HOSTILE = FRAMES + (HERE / "hostile.py").read_text().replace("from __future__ import annotations\n", "")
WITNESS = (HERE / "witness.py").read_text()
NODES_OWN = (("files", r"/(var|run)/benito/.*/(containers|nodes|machines|vm)/.*", "files and logs of nodes"),
             ("processes", r"systemctl show --property=MainPID benito-node-.*", "the supervisor's look at its nodes"))


class Projects:
    """A victim with the nodes va and vb, and a hostile experiment with ha (openvz) and hb (qemu), one of each on each pnode."""

    def __init__(self, pool, make):
        self.playbook, _home, self.testbed = pool
        self.victim, self.hostile = (
            make(topdl({f"{letter}{number}": {"on": ["lan"], "kind": kind, "partition": number} for number, kind in (("a", "openvz"), ("b", other))}),
                 pid=pid, name=f"{pid}.xml", pnode_types="fenced")
            for pid, letter, other in (("Victim", "v", "openvz"), ("Hostile", "h", "qemu")))
        for experiment in (self.victim, self.hostile):
            experiment.play("swapin")
        self.pnodes = [self.hostile.pnode_of(vhost) for vhost in ("pnode-0000", "pnode-0001")]
        self.plans = {experiment: {vhost: json.loads((experiment.path / "plan" / f"{vhost}.json").read_text()) for vhost in ("pnode-0000", "pnode-0001")}
                      for experiment in (self.victim, self.hostile)}

    def vhost_of(self, experiment, node):
        return next(vhost for vhost, plan in self.plans[experiment].items() if node in [vnode["name"] for vnode in plan["vnodes"]])

    def vnode(self, experiment, node):
        return next(vnode for plan in self.plans[experiment].values() for vnode in plan["vnodes"] if vnode["name"] == node)

    def ssh(self, experiment, node, *command):
        """Return the argv of a command in a node, over the control network."""
        name = f"{node}.{experiment.identity['eid']}.{experiment.identity['pid']}".lower()
        return ["ssh", "-F", str(experiment.path / "ssh_config"), "-o", "BatchMode=yes", "-l", "root", name, shlex.join(command)]

    def run(self, experiment, node, *command, text="", limit_s=180, check=True):
        done = subprocess.run(self.ssh(experiment, node, *command), input=text, capture_output=True, text=True, timeout=limit_s, check=False)
        assert not check or done.returncode == 0, f"{node}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def given(self, node):
        """Return what hostile.py is told, for this node."""
        at, other = self.vhost_of(self.hostile, node), {"ha": "hb", "hb": "ha"}[node]
        away = self.vhost_of(self.hostile, other)
        mine, victim = self.vnode(self.hostile, node), self.vnode(self.victim, "va" if node == "hb" else "vb")
        tunnel = self.plans[self.hostile][at]["substrates"][0]["tunnel"]
        return {
            "node": {"mac": mine["interfaces"][0]["mac_address"], "address": mine["interfaces"][0]["ip4_address"].split("/")[0],
                     "control_mac": mine["control"]["mac_address"], "control": mine["control"]["ip4_address"].split("/")[0],
                     "peers": [self.vnode(self.hostile, other)["interfaces"][0]["mac_address"]]},
            "vhost": {**self.host(at), "lan_mac": self.mac_of(at, self.plans[self.hostile][at]["substrates"][0]["bridge"]), "underlay": tunnel["local"]},
            "peer": {**self.host(away), "underlay": tunnel["remotes"][0]},
            "victim": {"lan_mac": victim["interfaces"][0]["mac_address"], "address": victim["interfaces"][0]["ip4_address"].split("/")[0],
                       "control_mac": victim["control"]["mac_address"], "control": victim["control"]["ip4_address"].split("/")[0],
                       "vni": self.plans[self.victim]["pnode-0000"]["substrates"][0]["tunnel"]["vni"], "name": victim["name"]},
            "gateway": mine["control"]["gateway"], "controller": mine["control"]["gateway"], "tunnel": tunnel.get("port", 4789),
        }

    def host(self, vhost):
        return {"mac": self.mac_of(vhost, "control0"), "address": self.testbed.hosts[self.hostile.pnode_of(vhost)]["ansible_host"]}

    def mac_of(self, vhost, device):
        return self.hostile.ssh(vhost, f"cat /sys/class/net/{device}/address").stdout.strip()

    def rules(self, pnode):
        return sorted(self.testbed.ssh(pnode, "nft -s list ruleset").stdout.splitlines())

    def assert_legitimate_traffic_passes(self):
        for experiment, first, second in ((self.victim, "va", "vb"), (self.hostile, "ha", "hb")):
            there = self.vnode(experiment, second)["control"]
            for target in (second, there["ip4_address"].split("/")[0], there["gateway"]):
                self.run(experiment, first, "ping", "-c1", "-W10", target)
            self.run(experiment, first, "ping", "-c1", "-W10", "-Mdo", "-s1472", second)

    def hosts_view(self):
        """Return of each pnode its state, and its neighbours by devices of experiments."""
        return {pnode: (self.testbed.state(pnode), self.testbed.ssh(pnode, "ip neighbour show | grep -E 'dev b[bvx]' || true").stdout) for pnode in self.pnodes}

    def victims_view(self):
        command = "ip -o -4 address; ip -o -6 address; ip -4 route; ip -6 route; cat /etc/resolv.conf"
        return {node: sorted(line for line in self.run(self.victim, node, "sh", "-c", command).splitlines() if "fe80" not in line) for node in ("va", "vb")}

    def neighbours(self):
        """Return the neighbour tables of the pnodes and of the victims."""
        tables = [self.testbed.ssh(pnode, "ip neighbour show").stdout for pnode in self.pnodes]
        return "".join([*tables, *(self.run(self.victim, node, "ip", "neighbour", "show") for node in ("va", "vb"))])


@pytest.fixture(scope="module", name="projects")
def fixture_projects(pool, tmp_path_factory):
    playbook, home, testbed = pool
    more = home / "inventory" / "more.yml"
    more.write_text(yaml.safe_dump({"pnode_pool": {"hosts": {pnode: {"pnode_shared": True, "pnode_type": "fenced"} for pnode in testbed.pnodes[:2]}}}))
    try:
        eid, folder = f"e{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("fences")
        with support.experiments(playbook, testbed, home, eid, folder, support.Experiment.print_nodes) as make:
            yield Projects(pool, make)
    finally:
        more.unlink()


class Witnesses:
    """Programs that tell what arrived at hosts and victims while attacks run."""

    def __init__(self, projects):
        commands = {pnode: self._on_pnode(projects.testbed, pnode) for pnode in projects.pnodes}
        commands.update({node: projects.ssh(projects.victim, node, "python3", "-c", WITNESS, "frames") for node in ("va", "vb")})
        self._running = {name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name, command in commands.items()}
        for name, process in self._running.items():
            assert process.stdout.readline() == "ready\n", f"the witness on {name} does not run"

    @staticmethod
    def _on_pnode(testbed, pnode):
        host = testbed.hosts[pnode]
        options = ["-i", host["ansible_ssh_private_key_file"], *shlex.split(host["ansible_ssh_common_args"])]
        return ["ssh", *options, f"{host['ansible_user']}@{host['ansible_host']}", shlex.join(["python3", "-c", WITNESS])]

    def end(self):
        """Return {host or victim: attacks that arrived}."""
        return {name: json.loads(process.communicate(timeout=60)[0]) for name, process in self._running.items()}


@pytest.mark.parametrize("attacker", ["ha", "hb"])
def test_no_attack_by_the_network_reaches_a_host_or_another_project(projects, attacker):
    projects.assert_legitimate_traffic_passes()
    before, victims = projects.hosts_view(), projects.victims_view()
    given = projects.given(attacker)
    witnesses = Witnesses(projects)
    result = json.loads(projects.run(projects.hostile, attacker, "python3", "-c", HOSTILE, json.dumps(given), limit_s=600))
    assert result["answered"] == {}
    assert witnesses.end() == dict.fromkeys([*projects.pnodes, "va", "vb"], [])
    after = projects.hosts_view()
    for pnode in projects.pnodes:
        assert difference(before[pnode][0], after[pnode][0], NODES_OWN) == []
        assert (before[pnode][1], after[pnode][1]) == ("", "")
    assert projects.victims_view() == victims
    known = [line.split() for line in projects.neighbours().splitlines() if given["node"]["control_mac"] in line or given["node"]["mac"] in line]
    assert {words[0] for words in known} <= {given["node"]["control"]}, "the attacker is known by no address but its own"
    projects.assert_legitimate_traffic_passes()


def test_a_witness_notices_what_does_arrive(projects):
    witnesses = Witnesses(projects)
    target = projects.vnode(projects.victim, "vb")["control"]["ip4_address"].split("/")[0]
    program = "import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'HOSTILE:by a friend:', (sys.argv[1], 7777))"
    projects.run(projects.victim, "va", "python3", "-c", program, target)
    for pnode in projects.pnodes:
        projects.testbed.ssh(pnode, "python3 -c " + shlex.quote(program) + " 127.0.0.1")
    # va's own witness sees what va sends
    assert witnesses.end() == {**dict.fromkeys(projects.pnodes, ["by a friend"]), "va": ["by a friend"], "vb": ["by a friend"]}


def test_a_flushed_filter_is_back_within_seconds_and_the_journal_says_so(projects):
    for pnode in projects.pnodes:
        before = projects.rules(pnode)
        projects.testbed.ssh(pnode, "nft flush ruleset")
        wait_until(f"the filters on {pnode} are back", lambda was=before, on=pnode: projects.rules(on) == was, 30)
    for experiment in (projects.victim, projects.hostile):
        for vhost in ("pnode-0000", "pnode-0001"):
            log = experiment.ssh(vhost, f"journalctl -u benito-host@{experiment.name} -o cat").stdout
            assert f"the packet filter of {experiment.name} was missing and is loaded again" in log
            assert json.loads(experiment.ssh(vhost, f"benito-host status -e {experiment.name} --json").stdout)["filter"] == "up"


REPLACE = """
import os, stat, sys
path, how = sys.argv[1:]
try:
    os.unlink(path)
except FileNotFoundError:
    pass
{"link": lambda: os.symlink("/etc/shadow", path), "fifo": lambda: os.mkfifo(path), "folder": lambda: os.mkdir(path),
 "huge": lambda: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT), 1 << 40), "socket": lambda: os.mknod(path, stat.S_IFSOCK | 0o666),
 "flood": lambda: open(path, "wb").write(b"booted\\n\\x1b]0;HOSTILE\\x07" * 2000000)}[how]()
"""


@pytest.mark.parametrize("how", ["link", "fifo", "folder", "huge", "socket", "flood"])
def test_a_report_that_is_no_report_neither_blocks_nor_deceives_the_host(projects, how):
    report, vhost = "/var/benito/log/report", projects.vhost_of(projects.hostile, "ha")
    projects.run(projects.hostile, "ha", "cp", report, "/root/report")
    try:
        projects.run(projects.hostile, "ha", "python3", "-c", REPLACE, report, how, check=how != "flood")
        command = f"timeout 20 benito-host status -e {projects.hostile.name} --json"
        status = json.loads(projects.hostile.ssh(vhost, command).stdout)
        assert status["nodes"]["ha"]["state"] in ("running", "booted") and "shadow" not in json.dumps(status) and "HOSTILE" not in json.dumps(status)
    finally:
        projects.run(projects.hostile, "ha", "sh", "-c", f"rm -rf {report}; cp /root/report {report}")


@pytest.mark.parametrize("attacker", ["ha", "hb"])
def test_a_node_that_takes_all_it_can_get_leaves_the_others_their_share(projects, attacker):
    """Fork, fill the disk and its inodes, and flood the console. The node may suffer; nobody else may."""
    vhost = projects.vhost_of(projects.hostile, attacker)
    free = "df --output=avail,iavail / | tail -1"
    before = [int(word) for word in projects.hostile.ssh(vhost, free).stdout.split()]
    program = ("timeout 20 sh -c 'f() { f | f & }; f' >/dev/null 2>&1; timeout 30 dd if=/dev/zero of=/root/fill bs=1M 2>/dev/null; "
               "mkdir /root/many; timeout 20 sh -c 'i=0; while : >/root/many/$i; do i=$((i+1)); done' 2>/dev/null; "
               "timeout 10 sh -c 'yes HOSTILE >/dev/console'; true")
    subprocess.run(projects.ssh(projects.hostile, attacker, "sh", "-c", program), capture_output=True, timeout=240, check=False)
    projects.testbed.ssh(projects.hostile.pnode_of(vhost), f"timeout 60 benito-host status -e {projects.hostile.name} --json")
    after = [int(word) for word in projects.hostile.ssh(vhost, free).stdout.split()]
    assert before[0] - after[0] < 4 << 20, "KiB: no more than the disks of the node, an image of 2 GiB and its logs"
    assert before[1] - after[1] < 10000, "inodes"
    projects.run(projects.victim, "va", "ping", "-c1", "-W10", "vb")
    projects.run(projects.hostile, attacker, "rm", "-rf", "/root/fill", "/root/many", check=False)
