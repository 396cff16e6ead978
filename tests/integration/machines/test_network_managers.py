# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two pnodes whose network managers configure everything that they find: an experiment keeps its devices, and nobody asks its nodes for addresses."""

from __future__ import annotations

import json
import shlex
import uuid

import pytest
import support
import yaml
from support import wait_until
from topologies import topdl

OURS = ("bb", "bv", "bx")
FOLDER = "/etc/systemd/network"
# Writes a line for each DHCP request that the node sees, by whatever address it is sent.
LISTEN = """
import socket
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
with open("/tmp/dhcp", "w", buffering=1) as seen:
    while True:
        frame, address = sock.recvfrom(2048)
        if address[2] != 4 and frame[12:14] == b"\\x08\\x00" and frame[23] == 17 and frame[36:38] == b"\\x00\\x43":
            seen.write(frame[:14].hex() + "\\n")
"""


class Pair:
    """An experiment of two processes, a on the first pnode and b on the second, that have a LAN."""

    def __init__(self, pool, make):
        self.testbed, self.pnodes = pool[2], pool[2].pnodes[:2]
        self.experiment = make(topdl({"a": {"on": ["lan"], "partition": "0"}, "b": {"on": ["lan"], "partition": "1", "startup": f"python3 -c '{LISTEN}'"}}),
                               pnode_types="managed")

    def bait(self):
        """Give both pnodes a pair of devices that managers may take."""
        self.everywhere("ip link add bait0 type veth peer name bait1; ip link set bait0 up; ip link set bait1 up")

    def everywhere(self, command):
        for pnode in self.pnodes:
            self.testbed.ssh(pnode, command)

    def write(self, name, match):
        """Give both pnodes a .network file that asks for addresses by everything that it matches."""
        text = f"[Match]\n{match}\n\n[Network]\nDHCP=yes\n"
        self.everywhere(f"printf %s {shlex.quote(text)} > {FOLDER}/{name}")

    def ping(self):
        self.experiment.enter("pnode-0000", "a", "ping -c3 -i0.2 -W2 b")

    def managed(self):
        """Return the experiment's devices that networkd has taken, and the baits that it has taken, on both pnodes. Wait until it has seen all devices."""
        listed = []
        for pnode in self.pnodes:
            wait_until(f"networkd on {pnode} has seen all devices", lambda on=pnode: not self._states(on) & {"pending", "initialized"})
            listed += self._links(pnode)
        taken = sorted(link["Name"] for link in listed if link["AdministrativeState"] != "unmanaged")
        return [name for name in taken if name[:2] in OURS], [name for name in taken if name[:4] == "bait"]

    def _links(self, pnode):
        return json.loads(self.testbed.ssh(pnode, "networkctl list --json=short").stdout)["Interfaces"]

    def _states(self, pnode):
        return {link["AdministrativeState"] for link in self._links(pnode)}

    def assert_the_node_would_notice(self):
        ask = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(1, 6, 1); s.sendto(b'x' * 300, ('10.0.0.255', 67))"
        self.experiment.enter("pnode-0000", "a", f"python3 -c {shlex.quote(ask)}")
        wait_until("the node has noticed a request", lambda: self.experiment.ssh("pnode-0001", "cat /tmp/dhcp").stdout, 20)
        self.experiment.ssh("pnode-0001", ": > /tmp/dhcp")

    def assert_it_is_left_alone(self):
        self.ping()
        assert self.managed() == ([], ["bait0", "bait0", "bait1", "bait1"])
        for pnode in self.pnodes:
            links = json.loads(self.testbed.ssh(pnode, "ip -json -details link show").stdout)
            members = [link["ifname"][:2] for link in links if link.get("master", "").startswith("bb")]
            assert sorted(members) == ["bv", "bx"], f"the port and the tunnel of {pnode} are in the bridge"
        assert self.experiment.ssh("pnode-0001", "cat /tmp/dhcp").stdout == "", "no request for an address reached the node"


@pytest.fixture(scope="module", name="pair")
def fixture_pair(pool, tmp_path_factory):
    playbook, home, testbed = pool
    more = home / "inventory" / "managed.yml"
    more.write_text(yaml.safe_dump({"pnode_pool": {"hosts": {pnode: {"pnode_type": "managed"} for pnode in testbed.pnodes[:2]}}}))
    eid, folder = f"e{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("managers")
    try:
        with support.experiments(playbook, testbed, home, eid, folder, support.Experiment.print_nodes) as make:
            pair = Pair(pool, make)
            pair.bait()
            pair.experiment.play("swapin")
            pair.assert_the_node_would_notice()
            yield pair
    finally:
        more.unlink()
        for pnode in testbed.pnodes[:2]:
            testbed.ssh(pnode, f"rm -f {FOLDER}/*-test.network /tmp/dhcp; networkctl reload; ip link delete bait0")


MATCHES = pytest.mark.parametrize(("name", "match"), [
    ("90-test.network", "Type=ether"),
    ("90-test.network", "Name=*"),
    ("90-test.network", "Kind=veth"),
    ("00-test.network", "Name=b*\nType=!loopback"),
    ("0-a-test.network", "Name=!eth* control0\nType=!loopback"),
])


@MATCHES
def test_a_file_of_networkd_that_matches_everything_takes_nothing_of_an_experiment(pair, name, match):
    pair.everywhere(f"rm -f {FOLDER}/*-test.network")
    pair.write(name, match)
    pair.everywhere("networkctl reload")
    pair.assert_it_is_left_alone()
    pair.everywhere("systemctl restart systemd-networkd")
    pair.assert_it_is_left_alone()


def test_such_a_file_takes_nothing_of_an_experiment_that_comes_later_or_is_made_at_boot(pair):
    pair.experiment.play("swapout")
    pair.everywhere(f"rm -f {FOLDER}/*-test.network")
    pair.write("0-a-test.network", "Name=!eth* control0\nType=!loopback")
    pair.everywhere("networkctl reload")
    pair.experiment.play("swapin")
    pair.assert_it_is_left_alone()
    assert pair.experiment.play("swapin").changed == 0
    booted = "cat /proc/sys/kernel/random/boot_id; systemctl show --value -p ActiveEnterTimestampMonotonic basic.target"
    before = pair.testbed.ssh(pair.pnodes[0], booted).stdout
    pair.testbed.ssh(pair.pnodes[0], "systemctl reboot", check=False)
    unit = f"systemctl is-active --quiet benito-host@{pair.experiment.name}"
    wait_until("the pnode and its experiment are back", lambda: pair.testbed.ssh(pair.pnodes[0], f"{unit} && {booted}", check=False).stdout not in ("", before))
    pair.bait()
    pair.assert_it_is_left_alone()
    pair.experiment.play("swapout")
    pair.everywhere("! ls -d /run/systemd/network/*benito* /run/NetworkManager")


@pytest.fixture(name="networkmanager")
def fixture_networkmanager(pair):
    """NetworkManager on the first pnode, which leaves eth0 and eth1 to networkd, and has a profile for every other wire."""
    profile = "[connection]\\nid=any\\nuuid=7a6c2f57-6d0e-4a3c-8a44-0f7f4a8a1b11\\ntype=ethernet\\nmulti-connect=3\\n[ipv4]\\nmethod=auto\\n"
    install = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && apt-get -qq install --no-install-recommends network-manager >/dev/null 2>&1"
    on = pair.pnodes[0]
    pair.testbed.ssh(on, "mkdir -p /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections"
                         "; printf '[keyfile]\\nunmanaged-devices=interface-name:eth*\\n' > /etc/NetworkManager/conf.d/90-test.conf"
                         "; printf '[device]\\nmatch-device=interface-name:b*\\nmanaged=1\\n' > /etc/NetworkManager/conf.d/80-test.conf")
    pair.testbed.ssh(on, f"{install}; printf '{profile}' > /etc/NetworkManager/system-connections/any.nmconnection"
                         "; chmod 600 /etc/NetworkManager/system-connections/*; systemctl restart NetworkManager; nmcli -t general status")
    try:
        yield lambda command: pair.testbed.ssh(on, command).stdout
    finally:
        pair.testbed.ssh(on, "systemctl stop NetworkManager; DEBIAN_FRONTEND=noninteractive apt-get -qq purge --autoremove network-manager >/dev/null 2>&1"
                             "; rm -rf /etc/NetworkManager /run/NetworkManager /var/lib/NetworkManager; systemctl daemon-reload")


def test_networkmanager_with_a_profile_for_every_wire_takes_nothing_of_an_experiment(pair, networkmanager):
    def states():
        return dict(line.split(":")[:2] for line in networkmanager("nmcli -t -f DEVICE,STATE device").splitlines())

    pair.everywhere(f"rm -f {FOLDER}/*-test.network; networkctl reload")
    pair.experiment.play("swapin")
    for command in ("true", "nmcli general reload", "systemctl restart NetworkManager"):
        networkmanager(command)
        wait_until("NetworkManager takes the bait", lambda: states().get("bait0", "").startswith("connect"))
        assert {state for name, state in states().items() if name[:2] in OURS} == {"unmanaged"}, command
        pair.ping()
        assert pair.experiment.ssh("pnode-0001", "cat /tmp/dhcp").stdout == ""
    pair.experiment.play("swapout")
    assert networkmanager("ls /run/NetworkManager/conf.d 2>/dev/null || true") == ""
