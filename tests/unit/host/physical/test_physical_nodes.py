# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is a node itself: made, repaired, changed, interrupted, removed, and never cut off from what it had."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_file import read_plan
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.foreign_filters import pass_foreign_filters
from ansible_collections.deter.benito.plugins.module_utils.host.physical.kind import physical_status, remove_physical_node
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply, down
from ansible_collections.deter.benito.plugins.module_utils.host.start_commands import starter
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, HostsEntry, RoutePlan, SubstratePlan, VnodePlan
from ansible_collections.deter.benito.tests.unit.host.plans import interface, with_vnode
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PLACE = ExperimentPaths("Proj.exp")
LAN0, LAN1 = SubstratePlan("lan0", "bblan00000000", 1400), SubstratePlan("lan1", "bblan10000000", 1500)
ROUTER = VnodePlan("r", "embedded_pnode", "r", (interface("r", 0, "lan0", "10.0.0.254/24"), interface("r", 1, "lan1", "10.0.1.254/24")),
                   (RoutePlan("10.0.0.0/16", "10.0.1.1"),), forwarding=True, start_command="cat /var/benito/eid; echo $BENITO_NODE >&2; exit 3")
PLAN = HostPlan("Proj", "exp", "pnode-0000", (LAN0, LAN1), (ROUTER,),
                (HostsEntry("10.0.0.254", ("r-lan0", "r-0", "r")), HostsEntry("10.0.1.1", ("b-lan1", "b-0", "b"))))
HOSTS = b"127.0.0.1\tlocalhost\n127.0.1.1 keeper # my own\n192.0.2.3 b.example no-newline"


def machine():
    """A host with an /etc of its own, an /etc/hosts, a control network and a default route."""
    for folder in ("upper", "work"):
        os.makedirs(f"/run/etc/{folder}")
    syscalls.mount("overlay", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work")
    with open("/etc/hosts", "wb") as stream:
        stream.write(HOSTS)
    os.chmod("/etc/hosts", 0o640)
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as stream:
        stream.write("0")
    ip("link set lo up", "link add eth0 type veth peer name world", "link set eth0 addrgenmode none up", "link set world addrgenmode none up",
       "address add 192.0.2.7/24 dev eth0", "route add default via 192.0.2.1")


def ip(*commands):
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


def built(made=PLAN):
    install_plan(made)
    return apply(PLACE)["changes"]


def look():
    """All that must be as before when the node is gone."""
    with open("/etc/hosts", "rb") as stream:
        hosts = stream.read()
    mode = stat.S_IMODE(os.stat("/etc/hosts").st_mode)
    routes = subprocess.run(["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    forwarding = [open(f"/proc/sys/net/ipv4/{name}", encoding="ascii").read() for name in ("ip_forward", "conf/all/rp_filter", "conf/eth0/forwarding")]
    left = [path for path in ("/var/benito", "/run/benito", "/etc/hosts.benito-new") if os.path.exists(path)]
    return hosts, mode, routes, forwarding, sorted(netlink.links()), left, os.uname().nodename


def neighbour():
    """A member of lan1 in a network of its own, as a process on another machine would be: 10.0.1.1."""
    child = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.read(1)
    ip(f"link add tob type veth peer name inf000 netns {child.pid}", "link set tob master bblan10000000 up")
    enter = ["nsenter", f"--net=/proc/{child.pid}/ns/net"]
    for command in ("ip link set inf000 up", "ip address add 10.0.1.1/24 dev inf000", "ip route add default via 10.0.1.254"):
        subprocess.run([*enter, *command.split()], check=True)
    return child, enter


@sandboxed
def test_other_nodes_change_no_route_of_the_machine_and_learn_none_of_its_other_addresses():
    machine()
    built()
    for own in PLAN.vnodes[0].interfaces:
        for setting, value in (("ipv4/conf/{}/accept_redirects", "0"), ("ipv4/conf/{}/accept_source_route", "0"), ("ipv4/conf/{}/arp_ignore", "1"),
                               ("ipv6/conf/{}/accept_ra", "0"), ("ipv6/conf/{}/accept_redirects", "0")):
            with open(f"/proc/sys/net/{setting.format(own.name)}", encoding="ascii") as stream:
                assert stream.read().strip() == value, setting
        with open(f"/proc/sys/net/ipv6/conf/{own.name}/accept_ra", "w", encoding="ascii") as stream:
            stream.write("1")
        assert built() == [f"r: interface {own.name}: ipv6/accept_ra = 0"]


@sandboxed
def test_the_machine_becomes_the_node_and_then_the_machine_again():
    machine()
    before = look()
    changes = built()
    assert "r: interface inf000: made" in changes and "r: route to 10.0.0.0/16 via 10.0.1.1: made" in changes
    assert built() == []
    links = netlink.links()
    assert [(links[name].mtu, links[name].mac_address) for name in ("inf000", "inf001")] == [(1400, "02:00:00:00:72:00"), (1500, "02:00:00:00:72:01")]
    assert links["bvr1000000000"].master == "bblan10000000" and links["bvr1000000000"].alias == "benito:Proj.exp:port:r:inf001"
    assert subprocess.run(["getent", "hosts", "b"], capture_output=True, text=True, check=True).stdout.split()[0] == "10.0.1.1"
    assert subprocess.run(["getent", "hosts", "keeper"], check=False).returncode == 0
    assert os.uname().nodename == before[-1], "the machine keeps its own name"
    assert open("/var/benito/pid", encoding="ascii").read() + open("/var/benito/eid", encoding="ascii").read() == "Proj\nexp\n"
    child, enter = neighbour()
    try:
        for target in ("10.0.1.254", "10.0.0.254"):
            assert subprocess.run([*enter, "ping", "-c1", "-W3", target], stdout=subprocess.DEVNULL, check=False).returncode == 0, target
        assert subprocess.run(["ping", "-c1", "-W3", "b"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    finally:
        child.communicate()
    assert open("/proc/sys/net/ipv4/conf/inf000/forwarding", encoding="ascii").read() == "1\n"
    assert look()[3] == before[3], "nothing of the machine's own was set"
    assert down(PLACE)["changed"]
    assert look() == before
    assert not down(PLACE)["changed"]
    assert look() == before


@sandboxed
def test_what_the_machine_forwards_passes_its_own_firewall_and_what_is_for_itself_does_not():
    machine()
    built()
    for number, lan in enumerate(("bblan00000000", "bblan10000000")):
        subprocess.run(["ip", "netns", "add", f"n{number}"], check=True)
        ip(f"link add to{number} group {PLACE.group} type veth peer name e netns n{number}", f"link set to{number} master {lan} up")
        for command in ("link set e up", f"address add 10.0.{number}.1/24 dev e", f"route add default via 10.0.{number}.254"):
            subprocess.run(["ip", "-n", f"n{number}", *command.split()], check=True)

    def reached(target):
        return subprocess.run(["ip", "netns", "exec", "n1", "ping", "-c1", "-i0.4", "-w2", target], stdout=subprocess.DEVNULL, check=False).returncode == 0

    assert reached("10.0.0.1") and reached("10.0.1.254")
    accept = 'meta mark 0x3062 counter accept comment "as an experiment with tunnels has it inserted"'
    subprocess.run(["nft", "-f", "-"], check=True, text=True, input=f"""table inet firewall {{
  chain forward {{ type filter hook forward priority 0; policy drop; }}
  chain input {{ type filter hook input priority 0; policy drop; {accept}; }}
}}""")
    assert not reached("10.0.0.1")
    assert pass_foreign_filters(PLAN, PLACE) == ["packet filter inet firewall forward (hook forward): passes experiments"]
    assert reached("10.0.0.1") and not reached("10.0.1.254")
    down(PLACE)


@sandboxed
def test_checking_tells_what_would_change_and_changes_nothing():
    machine()
    before = look()
    install_plan(PLAN)
    assert "embedded_pnode node r: made" in apply(PLACE, dry_run=True)["changes"]
    apply(PLACE, ("network",))
    bridges = look()
    words = apply(PLACE, dry_run=True)["changes"]
    assert "r: interface inf000: made" in words and "r: /etc/hosts: the names of Proj.exp written" in words
    assert look() == bridges
    down(PLACE)
    assert look() == before


@pytest.mark.parametrize(("damage", "words"), [
    ("link delete inf000", ["interface inf000: made"]),
    ("link set inf001 down", ["interface inf001: set up", "route to 10.0.0.0/16 via 10.0.1.1: made"]),
    ("address delete 10.0.0.254/24 dev inf000", ["interface inf000: set up"]),
    ("route delete 10.0.0.0/16", ["route to 10.0.0.0/16 via 10.0.1.1: made"]),
    ("link set bvr0000000000 nomaster", ["port bvr0000000000 of r:inf000: put on bblan00000000 with MTU 1400"]),
    ("link delete bvr1000000000", ["interface inf001: made", "route to 10.0.0.0/16 via 10.0.1.1: made"]),
])
@sandboxed
def test_what_was_taken_away_is_repaired_and_nothing_else(damage, words):
    machine()
    built()
    ip("address add 10.99.0.1/24 dev inf001", "route add 10.98.0.0/16 via 10.0.0.1")
    ip(damage)
    assert built() == [f"r: {word}" for word in words]
    assert built() == []
    if "inf001" not in damage and "bvr1" not in damage:
        assert "10.99.0.1" in str(netlink.ip_json("address")), "what was added is the user's"


@sandboxed
def test_files_that_were_spoilt_are_repaired_and_what_others_wrote_into_the_hosts_file_stays():
    machine()
    built()
    with open("/etc/hosts", "ab") as stream:
        stream.write(b"\n192.0.2.9 of-the-admin\n")
    os.unlink("/var/benito/eid")
    assert built() == ["r: /var/benito/eid: points to /var/benito/exp/Proj.exp/nodes/r/eid"]
    with open("/etc/hosts", "rb") as stream:
        text = stream.read()
    with open("/etc/hosts", "wb") as stream:
        stream.write(text.replace(b"b-0 b\n", b"b-0 c\n"))
    assert built() == ["r: /etc/hosts: the names of Proj.exp written"]
    down(PLACE)
    with open("/etc/hosts", "rb") as stream:
        assert stream.read() == HOSTS + b"\n192.0.2.9 of-the-admin\n"


@sandboxed
def test_a_block_whose_end_is_gone_is_never_guessed_at():
    machine()
    built()
    with open("/etc/hosts", "rb") as stream:
        text = stream.read()
    with open("/etc/hosts", "wb") as stream:
        stream.write(text.replace(b"# END benito Proj.exp\n", b""))
    for act in (built, lambda: down(PLACE)):
        with pytest.raises(HostError, match="the line '# END benito Proj.exp' is gone"):
            act()
    with open("/etc/hosts", "rb") as stream:
        assert stream.read().endswith(HOSTS)


@sandboxed
def test_a_changed_plan_changes_what_differs():
    machine()
    before = look()
    built()
    moved = with_vnode(PLAN, "r", interfaces=(interface("r", 0, "lan1", "10.0.1.250/24"),), routes=(RoutePlan("10.0.9.0/24", "10.0.1.9"),))
    words = built(moved)
    assert {"r: interface inf001: removed", "r: interface inf000: address 10.0.0.254/24 taken back", "r: route to 10.0.9.0/24 via 10.0.1.9: made"} <= set(words)
    assert built(moved) == []
    assert netlink.links()["bvr0000000000"].master == "bblan10000000" and "bvr1000000000" not in netlink.links()
    assert built(with_vnode(moved, "r", ghost=True))
    assert "inf000" not in netlink.links() and look()[0] == HOSTS, "a ghost is not there"
    down(PLACE)
    assert look() == before


@pytest.mark.parametrize(("change", "message"), [
    ({"interfaces": (dataclasses.replace(interface("r", 0, "lan0", "10.0.0.254/24"), name="eth0"),), "routes": ()}, "device eth0 of its own"),
    ({"interfaces": (interface("r", 0, "lan0", "192.0.2.200/24"),), "routes": ()}, "cut this machine off from 192.0.2.0/24, which it reaches by eth0"),
    ({"interfaces": (interface("r", 0, "lan0", "192.0.0.1/16"),), "routes": ()}, "cut this machine off from 192.0.2.0/24"),
    ({"routes": (RoutePlan("0.0.0.0/0", "10.0.1.1"),)}, "keeps its own default route"),
    ({"routes": (RoutePlan("192.0.2.0/24", "10.0.1.1"),)}, "cut this machine off from 192.0.2.0/24, which it reaches by eth0"),
    ({"routes": (RoutePlan("198.51.0.0/16", "10.0.1.1"),)}, "cut this machine off from the name server 198.51.100.53"),
])
@sandboxed
def test_the_machine_is_never_cut_off_from_what_it_had(change, message):
    machine()
    with open("/etc/resolv.conf.new", "w", encoding="ascii") as stream:
        stream.write("nameserver 198.51.100.53\n")
    os.rename("/etc/resolv.conf.new", "/etc/resolv.conf")
    before = look()
    with pytest.raises(HostError, match=message):
        built(with_vnode(PLAN, "r", **change))
    assert look()[:4] == before[:4]
    down(PLACE)
    assert look() == before


@sandboxed
def test_a_wide_route_beside_the_machines_narrower_ones_is_well():
    machine()
    built(with_vnode(PLAN, "r", routes=(RoutePlan("192.0.0.0/16", "10.0.1.1"),)))
    assert "eth0" in subprocess.run(["ip", "route", "get", "192.0.2.9"], capture_output=True, text=True, check=True).stdout


@sandboxed
def test_a_machine_is_a_node_of_one_experiment_only():
    machine()
    built()
    other = dataclasses.replace(PLAN, eid="two", substrates=(), vnodes=(VnodePlan("x", "embedded_pnode", "x"),))
    install_plan(other)
    with pytest.raises(HostError, match="this machine also carries Proj.exp: a machine that is a node itself is shared with no other experiment"):
        apply(ExperimentPaths("Proj.two"))
    assert remove_physical_node(ExperimentPaths("Proj.two")) == []
    down(ExperimentPaths("Proj.two"))
    assert built() == []
    os.unlink("/var/benito/log")
    os.mkdir("/var/benito/log")
    with pytest.raises(HostError, match="/var/benito/log exists on this host and is not ours"):
        built()


@sandboxed
def test_a_node_that_is_the_machine_is_alone_on_it():
    machine()
    with pytest.raises(HostError, match="node 'r': is this machine itself, so no other node can be on it"):
        built(dataclasses.replace(PLAN, vnodes=(ROUTER, VnodePlan("p", "process", "p"))))


@sandboxed
def test_without_a_plan_after_a_reboot_and_half_made_all_goes():
    machine()
    before = look()
    built()
    os.unlink(PLACE.plan)
    down(PLACE)
    assert look() == before
    built()
    ip("link delete inf000", "link delete inf001", "link delete bblan00000000", "link delete bblan10000000")  # what a reboot leaves
    subprocess.run(["rm", "-r", "/run/benito"], check=True)
    assert physical_status(read_plan(PLACE), PLACE)["r"]["state"] == "missing"
    down(PLACE)
    assert look() == before
    ip(f"link add bvr0000000000 group {PLACE.group} type veth peer name inf000 group {PLACE.group}")  # killed before the alias
    assert "r: interface inf000: made" in built()
    down(PLACE)
    assert look() == before
    ip(f"link add bvr0000000000 group {PLACE.group} type veth peer name inf000 group {PLACE.group}")
    os.makedirs("/run/benito/exp/Proj.exp")
    down(PLACE)
    assert look() == before


@sandboxed
def test_its_start_command_runs_once_as_one_of_the_machines_processes_with_the_three_logs():
    machine()
    built()
    plan = read_plan(PLACE)
    assert physical_status(plan, PLACE)["r"] == {"state": "booted", "exit_code": None, "start_command": "waiting", "exit_status": None}
    os.makedirs("/run/cgroup/node-r")
    assert [vnode.name for vnode in starter.waiting(PLACE, plan)] == ["r"]
    syscalls.adopt_orphans()
    (begun,) = starter.start(PLACE, plan, list(plan.vnodes), "/run/cgroup")
    assert not begun.error or "cgroup.procs" in begun.error
    assert starter.waiting(PLACE, plan) == []
