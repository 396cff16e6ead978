# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Substrates in a kernel of their own: bridges, tunnels, the firewall."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import firewall, netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net import underlay as underlay_module
from ansible_collections.deter.benito.plugins.module_utils.host.net.bridge_driver import MOST_ADDRESSES
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall import apply_firewall, firewall_state, remove_firewall
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall_events import TableWatch
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply, down
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, REMOTE, TUNNEL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PLACE = ExperimentPaths("Proj.exp")


def ip(text):
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)


def underlay():
    ip(f"link set lo up\nlink add eth1 mtu 1600 type veth peer name far1\nlink set eth1 up\nlink set far1 up\naddress add {LOCAL}/24 dev eth1\n")


def ours():
    return {name: link for name, link in netlink.links().items() if link.alias.startswith(PLACE.mark)}


def with_tunnel(**changes):
    lan0, lan1 = plan().substrates
    return plan(substrates=(lan0, dataclasses.replace(lan1, tunnel=dataclasses.replace(TUNNEL, **changes))))


def flood_entries():
    listed = json.loads(subprocess.run(["bridge", "-j", "fdb", "show", "dev", TUNNEL.device], capture_output=True, text=True, check=True).stdout)
    return sorted(entry["dst"] for entry in listed if entry["mac"] == "00:00:00:00:00:00")


@sandboxed
def test_substrates_are_made_once_and_repaired_where_they_differ():
    underlay()
    assert [change.split(" ")[0] for change in apply_network(plan(), PLACE, dry_run=True)] == ["bridge", "bridge", "tunnel", "tunnel"]
    assert ours() == {}
    apply_network(plan(), PLACE)
    links = ours()
    assert sorted(links) == ["bblan00000000", "bblan10000000", "bxtunnel00000"]
    bridge = links["bblan00000000"].data
    assert [bridge[f"IFLA_BR_{name}"] for name in ("STP_STATE", "MCAST_SNOOPING", "FORWARD_DELAY", "NF_CALL_IPTABLES")] == [0, 0, 0, 0]
    assert (links[TUNNEL.device].master, links[TUNNEL.device].mtu, links["bblan10000000"].mtu) == ("bblan10000000", 1500, 1500)
    assert not [a for a in netlink.ip_json("address", "show") if a["ifname"] in links and a["addr_info"]], "no address of the vhost's own"
    assert flood_entries() == [REMOTE]
    assert apply_network(plan(), PLACE) == []
    for link in links.values():
        assert (link.arp_ignore, link.ipv6) == (8, False), f"the host is silent on {link.name}"
    assert (bridge["IFLA_BR_FDB_MAX_LEARNED"], links[TUNNEL.device].data["IFLA_VXLAN_LIMIT"]) == (MOST_ADDRESSES, MOST_ADDRESSES)
    for damage in (f"link delete {TUNNEL.device}", "link set bblan00000000 down", "link set bblan00000000 mtu 1400", f"link set {TUNNEL.device} nomaster",
                   f"link set {TUNNEL.device} down"):
        ip(damage)
        assert apply_network(plan(), PLACE), damage
        assert apply_network(plan(), PLACE) == [], damage
    for setting in ("ipv4/conf/bblan00000000/arp_ignore", f"ipv4/conf/{TUNNEL.device}/arp_ignore", "ipv6/conf/bblan00000000/disable_ipv6"):
        with open(f"/proc/sys/net/{setting}", "w", encoding="ascii") as stream:
            stream.write("0")
        assert apply_network(plan(), PLACE) and apply_network(plan(), PLACE) == [], setting
    assert flood_entries() == [REMOTE]


@sandboxed
def test_a_changed_plan_changes_what_differs_and_removes_what_is_not_planned():
    underlay()
    apply_network(plan(), PLACE)
    assert apply_network(with_tunnel(remotes=("192.0.2.3", "192.0.2.4")), PLACE) == [
        f"tunnel {TUNNEL.device}: floods to 192.0.2.3", f"tunnel {TUNNEL.device}: floods to 192.0.2.4", f"tunnel {TUNNEL.device}: no longer floods to {REMOTE}"]
    assert flood_entries() == ["192.0.2.3", "192.0.2.4"]
    assert apply_network(with_tunnel(mode="multicast", group="239.192.1.1"), PLACE) == [f"tunnel {TUNNEL.device} of substrate lan1: changed"]
    assert ours()[TUNNEL.device].data["IFLA_VXLAN_GROUP"] == "239.192.1.1"
    assert apply_network(with_tunnel(mode="multicast", group="239.192.1.1"), PLACE) == []
    assert len(apply_network(plan(substrates=plan().substrates[:1]), PLACE)) == 2
    assert sorted(ours()) == ["bblan00000000"]


@pytest.mark.parametrize("name", ["bblan00000000", TUNNEL.device])
@sandboxed
def test_a_strangers_device_of_the_same_name_is_named_and_not_touched(name):
    underlay()
    ip(f"link add {name} type bridge\nlink set {name} alias benito:Proj.exp2:substrate:lan0")
    with pytest.raises(HostError, match=f"a device named {name} exists on this host and is not this experiment's"):
        apply_network(plan(), PLACE)
    assert netlink.links()[name].alias == "benito:Proj.exp2:substrate:lan0"
    down(PLACE)
    assert name in netlink.links()


@sandboxed
def test_links_of_an_interrupted_making_are_taken_over_and_taken_away():
    underlay()
    half = f"link add bblan00000000 group {PLACE.group} type bridge\n"
    half += f"link add {TUNNEL.device} group {PLACE.group} type vxlan id 4097 dstport 4789 local {LOCAL}\n"
    ip(half)
    assert len(apply_network(plan(), PLACE)) == 4
    assert apply_network(plan(), PLACE) == []
    down(PLACE)
    ip(half)
    down(PLACE)
    assert sorted(netlink.links()) == ["eth1", "far1", "lo"]


@sandboxed
def test_a_multicast_tunnel_without_its_underlay_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(underlay_module.underlay_index, "__defaults__", (0.2,))  # it waits for an address that comes late
    with pytest.raises(HostError, match=f"no interface of this host has the address {LOCAL} of its experiment network"):
        apply_network(with_tunnel(mode="multicast", group="239.192.1.1"), PLACE)


@pytest.mark.parametrize("remotes", [(REMOTE,), tuple(f"192.0.2.{n}" for n in range(2, 200)), ()])
@sandboxed
def test_the_firewall_loads_once_and_comes_back_after_it_was_changed(remotes):
    underlay()
    os.makedirs(PLACE.run)
    made = with_tunnel(remotes=remotes)
    assert firewall_state(made, PLACE) == "missing"
    assert apply_firewall(made, PLACE) == [f"firewall table {PLACE.nft_table}: made"]
    assert apply_firewall(made, PLACE) == []
    for family in ("inet", "bridge"):
        subprocess.run(["nft", "flush", "table", family, PLACE.nft_table], check=True)
        assert firewall_state(made, PLACE) == "changed"
        assert apply_firewall(made, PLACE, dry_run=True) == apply_firewall(made, PLACE) == [f"firewall table {PLACE.nft_table}: changed"]
        subprocess.run(["nft", "delete", "table", family, PLACE.nft_table], check=True)
        assert firewall_state(made, PLACE) == "missing"
        assert apply_firewall(made, PLACE) == [f"firewall table {PLACE.nft_table}: made"]
        assert firewall_state(made, PLACE) == "up"
    assert apply_firewall(plan(substrates=(), vnodes=()), PLACE) == [f"firewall table {PLACE.nft_table}: removed"]
    assert remove_firewall(PLACE) == [] and firewall_state(plan(substrates=(), vnodes=()), PLACE) == ""
    assert PLACE.nft_table not in subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


@sandboxed
def test_a_kernel_that_tracks_no_connections_is_not_made_to_and_one_that_begins_to_is_kept_from_the_experiment(monkeypatch, tmp_path):
    def tables():
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    underlay()
    os.makedirs(PLACE.run)
    monkeypatch.setattr(firewall, "_TRACKING", str(tmp_path / "count"))  # as with Debian's kernel before its module is loaded
    apply_firewall(plan(), PLACE)
    assert PLACE.nft_table in tables() and "notrack" not in tables()
    (tmp_path / "count").write_text("0\n")
    assert apply_firewall(plan(), PLACE) == [f"firewall table {PLACE.nft_table}: changed"]
    assert "notrack" in tables() and apply_firewall(plan(), PLACE) == []


@sandboxed
def test_a_full_set_of_senders_is_no_change_of_the_firewall(monkeypatch):
    underlay()
    os.makedirs(PLACE.run)
    apply_network(plan(), PLACE)
    monkeypatch.setattr(firewall, "_bounded", lambda _plan, _live: False)  # as with a kernel before 6.7
    apply_firewall(plan(), PLACE)
    subprocess.run(["nft", "add", "element", "bridge", PLACE.nft_table, "learned", "{ 02:00:00:00:00:01 }"], check=True)
    assert firewall_state(plan(), PLACE) == "up" and apply_firewall(plan(), PLACE) == []


@sandboxed
def test_changes_of_the_experiments_tables_are_told_and_those_of_other_experiments_are_not():
    underlay()
    os.makedirs(PLACE.run)
    watch = TableWatch(PLACE.nft_table)

    def told(*command):
        subprocess.run(["nft", *command], check=True)
        return bool(select.select([watch.fd], [], [], 5)[0]) and watch.read()

    apply_firewall(plan(), PLACE)
    assert select.select([watch.fd], [], [], 5)[0] and watch.read()
    assert not told("add", "table", "inet", "benito_other") and not told("add", "table", "bridge", PLACE.nft_table + "0")
    assert told("flush", "chain", "bridge", PLACE.nft_table, "inputs")
    assert told("flush", "ruleset")


@sandboxed
def test_down_works_where_nothing_is_installed():
    for folder in ("/usr/sbin", "/usr/bin", "/usr/local"):  # no ip, nft, systemctl
        syscalls.mount("tmpfs", folder, "tmpfs")
    for _again in range(2):
        assert down(PLACE) == {"changed": False, "changes": []}
    assert not os.path.exists("/run/benito") and not os.path.exists("/var/benito")


@sandboxed
def test_applying_the_network_part_opens_the_probe_and_taking_it_down_closes_it():
    underlay()
    install_plan(plan())
    assert apply(PLACE, ("network",))["changed"]
    assert "bplan10000000" in ours()
    assert not apply(PLACE, ("network",))["changed"]
    down(PLACE)
    assert sorted(netlink.links()) == ["eth1", "far1", "lo"]
