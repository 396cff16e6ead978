# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""control0 over a real interface, in a network namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

INTERFACE = """
link add net0 address 02:00:00:00:00:01 mtu 1400 type veth peer name far0
link set far0 up
link set net0 up
address add 192.0.2.1/24 broadcast 192.0.2.255 dev net0
address add 192.0.2.2/24 dev net0
address add 198.51.100.1/32 dev net0 label net0:extra
address add 2001:db8::1/64 dev net0 nodad
address add 2001:db8:1::1/64 dev net0 nodad valid_lft 3000 preferred_lft 2000
address add 203.0.113.1/24 dev far0
route add default via 192.0.2.254 proto dhcp metric 100 src 192.0.2.2
route add 10.1.0.0/16 via 192.0.2.253 mtu lock 1300 advmss 1200 table 77 proto 42
route add 10.2.0.0/16 dev net0 scope link metric 5
route add 10.3.0.0/16 via 172.16.0.1 dev net0 onlink
route add 10.4.0.0/16 via 203.0.113.9 dev far0 src 192.0.2.1
route add default via 2001:db8::fe proto ra metric 300
route add 2001:db8:2::/48 via 2001:db8::fd pref high
neighbour flush dev net0
"""

PRELUDE = """
import contextlib, ctypes, json, os, subprocess, sys
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.control_bridge import device as device
from ansible_collections.deter.benito.plugins.module_utils.host.control_bridge import link_config as link
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls as system

system.unshare(system.CLONE_NEWNET | system.CLONE_NEWNS)
system.mount(None, "/", None, system.MS_REC | system.MS_PRIVATE)
system.mount("sysfs", "/sys", "sysfs")
def ip(text):
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)

def setting(name, leaf):
    with open(f"/proc/sys/net/ipv6/conf/{name}/{leaf}") as stream:
        return stream.read().strip()

def carried(name):
    # what a person sees on a device, without its name; lifetimes count down, so only whether they end
    listed = []
    routes = ["route", "show", "table", "all", "dev", name]
    for command in (["address", "show", "dev", name], ["-4", *routes], ["-6", *routes]):
        entries = json.loads(subprocess.run(["ip", "-json", *command], capture_output=True, text=True, check=True).stdout or "[]")
        entries = [address for entry in entries for address in entry.get("addr_info", [entry] if "dst" in entry else []) if address]
        for entry in entries:
            if entry.get("table") == "local" or entry.get("type") in ("local", "broadcast", "anycast", "multicast"):
                continue
            for passing in ("nodad", "tentative"):
                entry.pop(passing, None)
            for lifetime in ("valid_life_time", "preferred_life_time", "expires"):
                if lifetime in entry:
                    entry[lifetime] = entry[lifetime] == 4294967295
            listed.append(json.dumps(entry, sort_keys=True).replace(name, "DEVICE"))
    return sorted(listed)
"""


def run(body):
    """What ``body`` prints as JSON, run in a namespace of its own."""
    code = PRELUDE + f"INTERFACE = {INTERFACE!r}\n" + textwrap.dedent(body)
    environment = {**os.environ, "PYTHONPATH": os.path.abspath(".ansible/collections")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_bridge_carries_exactly_what_the_interface_carried_and_gives_it_back():
    before, over, below, back, elsewhere, bridges = run("""
        ip("link set lo up\\n" + INTERFACE)
        before = carried("net0"), carried("far0")
        link_config = link.LinkConfig.of("net0")
        device.bring_over("net0", link_config)
        over, below, elsewhere = carried("control0"), carried("net0"), carried("far0") == before[1]
        kept = link.LinkConfig.from_plain(json.loads(json.dumps(link_config.to_plain())))
        device.bring_back("net0", kept)
        print(json.dumps([before[0], over, below, carried("net0"), elsewhere and carried("far0") == before[1], device.is_bridge()]))
    """)
    assert len(before) > 12
    assert over == before
    assert below == []
    assert back == before
    assert elsewhere
    assert not bridges


def test_the_bridge_has_the_interfaces_hardware_address_mtu_and_settings():
    facts = run("""
        ip("link set lo up\\n" + INTERFACE)
        with open("/proc/sys/net/ipv6/conf/net0/accept_ra", "w") as stream:
            stream.write("2")
        device.bring_over("net0", link.LinkConfig.of("net0"))
        leaves = ("address", "mtu", "ifalias", "bridge/stp_state", "bridge/forward_delay", "bridge/multicast_snooping", "bridge/nf_call_iptables")
        print(json.dumps([[link.link_attribute("control0", leaf) for leaf in leaves], setting("control0", "accept_ra"), setting("net0", "disable_ipv6"),
                          device.members()]))
    """)
    assert facts == [["02:00:00:00:00:01", "1400", "benito:control0:net0", "0", "0", "0", "0"], "2", "1", ["net0"]]


def test_what_a_manager_did_not_bring_is_completed_and_what_it_leases_is_not():
    lacking, still = run("""
        ip("link set lo up\\n" + INTERFACE)
        link_config = link.LinkConfig.of("net0")
        ip("address flush dev net0\\naddress add 192.0.2.1/24 dev net0\\n")
        subprocess.run(["ip", "-6", "route", "flush", "dev", "net0"], check=True)
        link.complete(link_config, "net0")
        device_now = link.LinkConfig.of("net0").describe()
        print(json.dumps([sorted(set(link_config.describe()) - set(device_now)), link.missing(link_config, "net0")]))
    """)
    assert lacking == ["2001:db8:1::1/64", "route default via 192.0.2.254", "route default via 2001:db8::fe"]
    assert "route default via 192.0.2.254" in still


@pytest.mark.parametrize(("setup", "interface", "why"), [
    ("link add br0 type bridge", "br0", "br0 is a bridge device"),
    ("link add br0 type bridge\nlink add net0 type veth peer name far0\nlink set net0 master br0", "net0", r"net0 is a member of br0 (a bridge)"),
    ("link add net0 type veth peer name far0\nlink add mv0 link net0 type macvlan", "net0", "net0 carries mv0 (a macvlan device)"),
    ("tuntap add tap0 mode tap", "tap0", "tap0 is a tun device"),
    ("link add net0 type veth peer name far0\nrule add iif net0 table 5 priority 99", "net0", "net0 is named by the routing rule of priority 99"),
    ("", "lo", "lo is not an Ethernet interface"),
    ("", "none0", "there is no interface none0"),
    ("link add net0 up type veth peer name far0\nlink set far0 up\naddress add 192.0.2.1/24 dev net0\n"
     "route add 10.0.0.0/8 nexthop via 192.0.2.2 nexthop via 192.0.2.3", "net0", "net0 is one of several hops of the route 10.0.0.0/8"),
])
def test_an_arrangement_that_is_not_understood_is_refused_by_name(setup, interface, why):
    assert why in run(f"""
        ip({setup!r})
        try:
            device.refuse_unless_plain({interface!r})
            print(json.dumps("accepted"))
        except HostError as exc:
            print(json.dumps(str(exc)))
    """)


def test_without_ssh_the_one_default_route_tells_the_control_interface_and_two_are_refused():
    found = run("""
        os.environ.pop("SSH_CONNECTION", None)
        device._ssh_server_address = lambda: ""
        ip("link set lo up\\n" + INTERFACE)
        found = [device.find_interface()]
        ip("route add default dev far0 metric 900")
        try:
            device.find_interface()
        except HostError as exc:
            found.append(str(exc))
        print(json.dumps(found))
    """)
    assert found[0] == "net0"
    assert found[1].startswith("no single control interface")
    assert "default routes go through far0, net0" in found[1]


def test_the_interface_of_the_ssh_connection_is_found_through_sudo_which_hides_it():
    assert run("""
        ip("link set lo up\\n" + INTERFACE)
        code = "from ansible_collections.deter.benito.plugins.module_utils.host.control_bridge import device as d; print(d.find_interface())"
        clean = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
        shell = f"env -u SSH_CONNECTION {sys.executable} -c '{code}'; true"
        found = subprocess.run(["sh", "-c", shell], env={**clean, "SSH_CONNECTION": "192.0.2.9 5000 203.0.113.1 22"}, capture_output=True, text=True)
        print(json.dumps(found.stdout.strip() or found.stderr))
    """) == "far0"
