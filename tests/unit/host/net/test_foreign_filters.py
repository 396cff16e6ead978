# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet filters of other programs, in the kernel: frames between nodes pass them, whatever they drop or rewrite, and nothing else does."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.filter_chains import nft_chains
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall import apply_firewall
from ansible_collections.deter.benito.plugins.module_utils.host.net.firewall_events import TableWatch
from ansible_collections.deter.benito.plugins.module_utils.host.net.foreign_filters import (
    close_foreign_filters,
    foreign_state,
    legacy_unpassed,
    pass_foreign_filters,
    tunnel_droppers,
)
from ansible_collections.deter.benito.plugins.module_utils.host.net.legacy_chains import legacy_chains, legacy_tables
from ansible_collections.deter.benito.plugins.module_utils.host.net.ports import Peer, Port, Ports, media
from ansible_collections.deter.benito.plugins.module_utils.host.net.substrates import apply_network
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, REMOTE, TUNNEL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")
SWITCH = "/proc/sys/net/bridge/bridge-nf-call-{}"
needs_iptables = pytest.mark.skipif(not shutil.which("iptables-legacy", path="/usr/sbin:/sbin"), reason="needs the package iptables")
needs_br_netfilter = pytest.mark.skipif(not os.path.exists(SWITCH.format("iptables")), reason="needs a kernel with br_netfilter")


def run(*command, text=None, check=True):
    result = subprocess.run(command, check=False, capture_output=True, text=True, input=text)
    assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


class Lan:
    """A vhost with br_netfilter on, the nodes a and v on one of its LANs, and another vhost with the node f on the same LAN behind a tunnel."""

    def __init__(self):
        os.makedirs(PATHS.run)
        for name in ("a", "v", "far"):
            run("ip", "netns", "add", name)
        run("ip", "-batch", "-", text=f"""\
link set lo up
link add eth1 mtu 1600 type veth peer name eth1 netns far
link set eth1 up
address add {LOCAL}/24 dev eth1
""")
        run("ip", "-n", "far", "-batch", "-", text=f"""\
link set eth1 up mtu 1600
address add {REMOTE}/24 dev eth1
link add vx type vxlan id {TUNNEL.vni} dstport 4789 local {REMOTE}
link set vx up
address add 172.17.0.4/24 dev vx
""")
        run("bridge", "-n", "far", "fdb", "append", "00:00:00:00:00:00", "dev", "vx", "dst", LOCAL)
        apply_network(plan(), PATHS)
        on = media(plan(), netlink.links())["lan1"]
        Ports(PATHS, [Port(f"bv{name}", name, "inf0", on, Peer(f"n{name}", f"02:00:00:00:0a:0{number}")) for number, name in enumerate("av", 1)]).apply()
        for number, name in enumerate("av", 2):
            run("ip", "link", "set", f"n{name}", "netns", name)
            run("ip", "-n", name, "link", "set", f"n{name}", "up")
            run("ip", "-n", name, "address", "add", f"172.17.0.{number}/24", "dev", f"n{name}")
            run("ip", "-n", name, "address", "add", f"2001:db8::{number}/64", "nodad", "dev", f"n{name}")
        for family in ("iptables", "ip6tables", "arptables"):
            switch(family, 1)
        apply_firewall(plan(), PATHS)


def switch(family, value):
    with open(SWITCH.format(family), "w", encoding="ascii") as stream:
        stream.write(str(value))


def crosses(target="172.17.0.3", source="a"):
    return subprocess.run(["ip", "netns", "exec", source, "ping", "-n", "-c1", "-i0.4", "-w2", target], capture_output=True, check=False).returncode == 0


def foreign_table(family, hook="forward", policy="drop", rules="", name="foreign"):
    run("nft", "-f", "-", text=f"table {family} {name} {{\nchain c {{ type filter hook {hook} priority 0; policy {policy};\n{rules}\n}}\n}}\n")


def ruleset():
    return re.sub(r"packets \d+ bytes \d+", "", run("nft", "-s", "list", "ruleset"))


@pytest.mark.parametrize(("family", "hook", "policy", "rules"), [
    ("ip", "forward", "drop", ""), ("inet", "forward", "drop", ""), ("bridge", "forward", "drop", ""), ("bridge", "prerouting", "drop", ""),
    ("bridge", "postrouting", "drop", ""), ("inet", "prerouting", "drop", ""), ("ip", "postrouting", "drop", ""),
    ("inet", "forward", "accept", "ct state invalid,untracked drop\nreject with icmpx admin-prohibited"), ("ip", "prerouting", "accept", "fib saddr . iif oif missing drop"),
])
@needs_br_netfilter
@sandboxed
def test_frames_between_nodes_pass_a_chain_that_drops(family, hook, policy, rules):
    Lan()
    assert crosses()
    foreign_table(family, hook, policy, rules)
    assert not crosses(), "without the rule nothing passes"
    assert foreign_state(plan(), PATHS) == f"{family} foreign c"
    assert pass_foreign_filters(plan(), PATHS) == [f"packet filter {family} foreign c (hook {hook}): passes experiments"]
    assert crosses()
    assert foreign_state(plan(), PATHS) == "passed" and pass_foreign_filters(plan(), PATHS) == []


@needs_br_netfilter
@sandboxed
def test_ipv6_between_nodes_passes_a_chain_that_drops():
    Lan()
    foreign_table("ip6")
    assert not crosses("2001:db8::3")
    pass_foreign_filters(plan(), PATHS)
    assert crosses("2001:db8::3")


@pytest.mark.parametrize("family", ["ip", "inet"])
@needs_br_netfilter
@sandboxed
def test_address_translation_of_the_host_does_not_rewrite_packets_between_nodes(family):
    Lan()
    assert crosses(), "the nodes know each other's MAC addresses from here on"
    run("nft", "-f", "-", text=f"""
table {family} foreign {{
  chain post {{ type nat hook postrouting priority 100; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }}
  chain pre {{ type nat hook prerouting priority -100; ip daddr 172.17.0.3 dnat {'ip ' if family == 'inet' else ''}to 172.17.0.99; }}
}}""")
    assert crosses() and crosses("172.17.0.2", "v")
    assert foreign_state(plan(), PATHS) == ""
    run("nft", "delete", "table", "inet", PATHS.nft_table)
    assert not crosses(), "tracked packets are rewritten"


@needs_br_netfilter
@sandboxed
def test_the_tunnel_passes_a_host_that_drops_what_comes_in_and_goes_out_but_only_for_planned_peers():
    Lan()
    assert crosses("172.17.0.4")
    for hook in ("input", "output"):
        foreign_table("inet", hook, rules="ip saddr 192.0.2.3 counter", name=hook)
    assert not crosses("172.17.0.4")
    assert tunnel_droppers(plan()) == "inet input c, inet output c"
    pass_foreign_filters(plan(), PATHS)
    assert crosses("172.17.0.4") and tunnel_droppers(plan()) == ""
    run("ip", "-n", "far", "address", "add", "192.0.2.3/24", "dev", "eth1")
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('192.0.2.3', 0)); s.sendto(bytes.fromhex('{}'), ('{}', {}))"
    for header, port in (("0800000000000100", 4789), (f"08000000{TUNNEL.vni:06x}00", 7777), (f"08000000{TUNNEL.vni:06x}00", 4789)):
        run("ip", "netns", "exec", "far", "python3", "-c", send.format(header + "00" * 60, LOCAL, port))
    assert "ip saddr 192.0.2.3 counter packets 2 " in run("nft", "list", "chain", "inet", "input", "c"), "ours drops the last one, theirs the others"


@sandboxed
def test_a_plan_without_tunnels_leaves_chains_of_the_host_itself_alone():
    os.makedirs(PATHS.run)
    without = plan(substrates=plan().substrates[:1])
    for hook in ("input", "output"):
        foreign_table("inet", hook, name=hook)
    assert pass_foreign_filters(without, PATHS) == [] and foreign_state(without, PATHS) == ""


@needs_br_netfilter
@sandboxed
def test_a_strangers_bridge_with_a_name_like_ours_is_not_passed():
    Lan()
    run("ip", "link", "add", "bb0", "type", "bridge")
    run("ip", "link", "set", "bb0", "up")
    for number, name in enumerate(("s", "t"), 1):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"bv{name}", "type", "veth", "peer", "name", "e", "netns", name)
        run("ip", "link", "set", f"bv{name}", "master", "bb0", "up")
        run("ip", "-n", name, "link", "set", "e", "up")
        run("ip", "-n", name, "address", "add", f"172.18.0.{number}/24", "dev", "e")
    assert crosses("172.18.0.2", "s")
    foreign_table("ip")
    pass_foreign_filters(plan(), PATHS)
    assert crosses() and not crosses("172.18.0.2", "s")


@needs_br_netfilter
@sandboxed
def test_what_our_own_filter_drops_stays_dropped():
    Lan()
    run("ip", "address", "add", "172.17.0.9/24", "dev", "bblan10000000")
    foreign_table("inet", "input")
    foreign_table("bridge", "forward", name="second")
    pass_foreign_filters(plan(), PATHS)
    assert crosses() and not crosses("172.17.0.9"), "an address of the vhost on the bridge"


@sandboxed
def test_a_chain_that_can_drop_nothing_gets_no_rule():
    os.makedirs(PATHS.run)
    for family in ("ip", "inet", "bridge"):
        foreign_table(family, policy="accept")
    before = ruleset()
    assert pass_foreign_filters(plan(), PATHS) == [] and foreign_state(plan(), PATHS) == "" and ruleset() == before


@needs_br_netfilter
@sandboxed
def test_swap_out_removes_our_rules_and_nothing_else():
    Lan()
    for family in ("ip", "inet", "bridge"):
        foreign_table(family, rules='meta mark 0x1 counter accept comment "theirs"')
    before = ruleset()
    pass_foreign_filters(plan(), PATHS)
    assert ruleset() != before
    run("nft", "delete", "table", "ip", "foreign")
    assert len(close_foreign_filters(PATHS)) == 2, "safe although a table is gone"
    assert ruleset() == before.replace(re.search(r"table ip foreign \{.*?\n\}\n", before, re.DOTALL)[0], "")
    assert close_foreign_filters(PATHS) == []


@sandboxed
def test_the_rules_stay_while_another_experiment_is_on_the_host():
    install_plan(plan())
    other = install_plan(plan(eid="other"))
    foreign_table("ip")
    pass_foreign_filters(plan(), PATHS)
    assert close_foreign_filters(PATHS) == [] and foreign_state(plan(), PATHS) == "passed"
    shutil.rmtree(PATHS.directory)
    assert close_foreign_filters(other) == ["packet filter ip foreign c (hook forward): our rule is removed"]


@needs_br_netfilter
@sandboxed
def test_after_a_reload_or_another_first_rule_ours_is_put_back_to_the_head():
    Lan()
    foreign_table("ip")
    pass_foreign_filters(plan(), PATHS)
    watch = TableWatch(PATHS.nft_table)
    run("nft", "delete", "table", "ip", "foreign")
    foreign_table("ip")
    assert watch.read(), "the supervisor is told"
    assert not crosses() and pass_foreign_filters(plan(), PATHS) and crosses()
    run("nft", "insert", "rule", "ip", "foreign", "c", "drop")
    assert watch.read() and not crosses() and foreign_state(plan(), PATHS) == "ip foreign c"
    assert pass_foreign_filters(plan(), PATHS) and crosses()
    assert [rule.ours for rule in nft_chains()[0].rules] == [True, False]


@sandboxed
def test_tables_of_other_experiments_and_elements_of_sets_wake_nobody():
    watch = TableWatch(PATHS.nft_table)
    run("nft", "add", "table", "inet", "benito_other")
    assert not watch.read()
    run("nft", "add", "table", "inet", "foreign")
    run("nft", "add", "set", "inet", "foreign", "s", "{ type ipv4_addr; }")
    assert watch.read()
    run("nft", "add", "element", "inet", "foreign", "s", "{ 192.0.2.7 }")
    assert not watch.read()


@contextlib.contextmanager
def owner_of(table):
    """A program that owns a table, as firewalld 2.1 does."""
    with subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as program:
        program.stdin.write(f"add table {table} {{ flags owner; }}\nadd chain {table} c {{ type filter hook forward priority 0; policy drop; }}\n")
        program.stdin.flush()
        while not nft_chains():
            pass
        yield
        program.stdin.close()


@needs_br_netfilter
@sandboxed
def test_a_table_that_lets_nobody_else_in_is_refused_by_name_where_it_matters():
    Lan()
    with owner_of("inet firewalld"):
        with pytest.raises(HostError, match=r"packets of Proj.exp: family inet, table firewalld, chain c, hook forward: .*NftablesTableOwner=no.*or set net.bridge"):
            pass_foreign_filters(plan(), PATHS)
        assert foreign_state(plan(), PATHS) == "inet firewalld c"
        for family in ("iptables", "ip6tables"):
            switch(family, 0)
        assert pass_foreign_filters(plan(), PATHS) == [] and foreign_state(plan(), PATHS) == "" and crosses()


@sandboxed
def test_a_chain_that_comes_before_our_mark_is_refused():
    os.makedirs(PATHS.run)
    run("nft", "-f", "-", text="table bridge early { chain c { type filter hook forward priority -400; policy drop; }\n}\n")
    with pytest.raises(HostError, match="family bridge, table early, chain c, hook forward: its priority -400 is before"):
        pass_foreign_filters(plan(), PATHS)


@needs_br_netfilter
@needs_iptables
@sandboxed
def test_iptables_nft_still_reads_its_tables():
    Lan()
    for command, chain in (("iptables-nft", "FORWARD"), ("ip6tables-nft", "FORWARD"), ("ebtables-nft", "FORWARD"), ("iptables-nft", "INPUT")):
        run(command, "-P", chain, "DROP")
    run("iptables-nft", "-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT")
    for command in ("iptables-nft", "ip6tables-nft"):
        run(f"{command}-restore", text=run(f"{command}-save"))  # which makes the tables' other chains
    assert not crosses()
    before = ruleset()
    pass_foreign_filters(plan(), PATHS)
    assert crosses() and crosses("2001:db8::3") and crosses("172.17.0.4")
    for command in ("iptables-nft", "ip6tables-nft"):
        assert '-A FORWARD -m mark --mark 0x3062 -m comment --comment "passes experiments of deter.benito" -j ACCEPT' in run(command, "-S").splitlines()
        run(f"{command}-restore", text=run(f"{command}-save"))
    assert foreign_state(plan(), PATHS) == "passed", "also after their own programs have saved and loaded them"
    assert "--mark 0x3062 -j ACCEPT" in run("ebtables-nft", "-L", "FORWARD")
    assert len(close_foreign_filters(PATHS)) == 4
    assert sorted(ruleset().splitlines()) == sorted(before.splitlines()), "iptables-restore changes the order of tables"


@needs_br_netfilter
@needs_iptables
@sandboxed
def test_tables_of_iptables_legacy_are_passed_too_and_left_as_they_were():
    Lan()
    install_plan(plan())
    assert not legacy_unpassed(PATHS)
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    run("iptables-legacy", "-A", "FORWARD", "-j", "REJECT")
    run("ip6tables-legacy", "-P", "FORWARD", "DROP")
    run("iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "172.17.0.0/16", "!", "-o", "docker0", "-j", "MASQUERADE")
    before = run("iptables-legacy", "-S") + run("ip6tables-legacy", "-S")
    assert not crosses() and not crosses("2001:db8::3") and legacy_unpassed(PATHS)
    assert pass_foreign_filters(plan(), PATHS) == ["packet filter iptables-legacy filter FORWARD (hook forward): passes experiments",
                                                   "packet filter ip6tables-legacy filter FORWARD (hook forward): passes experiments"]
    assert crosses() and crosses("2001:db8::3") and not legacy_unpassed(PATHS) and foreign_state(plan(), PATHS) == "passed"
    run("iptables-legacy", "-I", "FORWARD", "-j", "DROP")
    assert legacy_unpassed(PATHS) and pass_foreign_filters(plan(), PATHS) and crosses()
    run("iptables-legacy", "-D", "FORWARD", "-j", "DROP")
    close_foreign_filters(PATHS)
    assert run("iptables-legacy", "-S") + run("ip6tables-legacy", "-S") == before


@needs_br_netfilter
@needs_iptables
@sandboxed
def test_legacy_tables_that_cannot_be_looked_at_are_refused_by_name():
    Lan()
    run("iptables-legacy", "-P", "FORWARD", "DROP")
    shutil.copy2("/usr/sbin/nft", "/run/nft")
    syscalls.mount("tmpfs", "/usr/sbin", "tmpfs")
    os.symlink("/run/nft", "/usr/sbin/nft")
    with pytest.raises(HostError, match="family iptables-legacy, table filter, chain FORWARD, hook forward: iptables-legacy is not installed"):
        pass_foreign_filters(plan(), PATHS)
    assert foreign_state(plan(), PATHS) == "iptables-legacy filter FORWARD"


@sandboxed
def test_looking_for_legacy_tables_makes_none():
    assert legacy_tables() == [] and legacy_chains() == [] and legacy_tables() == []


@needs_br_netfilter
@needs_iptables
@sandboxed
def test_a_table_of_arptables_that_drops_is_refused():
    Lan()
    run("arptables-legacy", "-P", "FORWARD", "ACCEPT")
    assert pass_foreign_filters(plan(), PATHS) == []
    run("arptables-legacy", "-P", "FORWARD", "DROP")
    with pytest.raises(HostError, match="family arptables-legacy, table filter, chain FORWARD, .*bridge-nf-call-arptables=0"):
        pass_foreign_filters(plan(), PATHS)
