# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TopDL to NS and back: nodes, links, addresses and shaping stay what they are."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import (
    Attribute,
    Capacity,
    Computer,
    Interface,
    Latency,
    OperatingSystem,
    Software,
    Substrate,
    Topology,
)
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.hops import ports_of, way_between
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.reader import read_ns_text
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.writer import write_ns
from ansible_collections.deter.benito.tests.unit.topology.ns.files import LAN, LINK, names, topology_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def written_and_read(topology):
    text, _warnings = write_ns(topology)
    return read_ns_text(text.encode(), "back.tcl", "/nonexistent")[0]


def whole_ways(topology):
    """{substrate: {(from, to): (delay in ms, kb/s, loss)}} of substrates with two members or more."""
    result = {}
    for substrate in topology.substrates:
        members = topology.attachments()[substrate.name]
        if len(members) < 2:
            continue
        ports = ports_of(substrate, members, topology.latency_model)
        ways = {(a.computer.name, b.computer.name): way_between(a, b) for a in ports for b in ports if a is not b}
        result[substrate.name] = {ends: (round(way.delay_ms, 6), way.kbps, round(way.loss, 6)) for ends, way in ways.items()}
    return result


def addresses(topology):
    return {
        (node.name, interface.substrate): (interface.attribute("ip4_address"), interface.attribute("ip4_netmask"))
        for node in topology.computers
        for interface in node.interfaces
        if interface.attribute("ip4_address")
    }


def of_nodes(topology):
    given = ("type", "failureaction")
    return [(node.name, [(one.name, one.value) for one in node.attributes if one.name not in given]) for node in topology.computers]


NS_FILES = {
    "a link": LINK,
    "a LAN": LAN,
    "asymmetric links": LINK + "tb-set-link-simplex-params $link0 $a 50ms 1Mb 0.05",
    "asymmetric LANs": LAN + "tb-set-lan-simplex-params $lan0 $b 10ms 1Mb 0.1 20ms 2Mb 0.2\ntb-set-node-lan-delay $c $lan0 100ms",
    "loss of a LAN": LAN + "tb-set-lan-loss $lan0 0.1",
    "addresses": LAN + "tb-set-ip $a 10.9.0.1\ntb-set-netmask $lan0 255.255.0.0",
    "queues": LAN + "[[$ns lanlink $lan0 $b] queue] set limit_ 9",
    "options, protocols and routes": LINK + "set opt(x-1) {a $b [c]}\n$ns rtproto Manual\n$a add-route $b $b\n$link0 cost 4\ntb-set-sync-server $b",
    "quotes": LINK + r'tb-set-node-startcmd $a "echo \"\{\$x\" \\ \[ ; # > y"',
    "attributes": LAN + "tb-add-node-attribute $a {odd name} {}\ntb-add-network-attribute $lan0 x {y z}\ntb-add-interface-attribute $b $lan0 p q",
    "software": LINK + "tb-set-node-rpms $a /x.rpm\ntb-set-node-tarfiles $a /opt /y.tgz\ntb-set-node-os $b DEB12",
    "vtypes": LINK + "tb-make-soft-vtype any {pc600 pc850}\ntb-make-weighted-vtype w .5 pc1\ntb-set-ip-routing none",
    "machines": LINK + "tb-set-hardware $b pc3000\ntb-fix-node $a pc4\ntb-set-node-testbed $a deter",
}


@pytest.mark.parametrize("sort", NS_FILES)
def test_what_came_from_an_ns_file_is_the_same_when_it_comes_back(sort):
    topology = topology_of(NS_FILES[sort])
    back = written_and_read(topology)
    assert whole_ways(back) == whole_ways(topology)
    assert (back.elements, back.substrates) == (topology.elements, topology.substrates) or "asymmetric" in sort
    assert sorted(map(str, back.attributes)) == sorted(map(str, topology.attributes))


def test_the_file_is_one_that_a_person_would_write():
    text, warnings = write_ns(topology_of(LAN + "set n(3) [$ns node]\ntb-set-node-startcmd $n(3) {echo hi}"))
    assert text.splitlines() == [
        "set ns [new Simulator]",
        "source tb_compat.tcl",
        "set a [$ns node]",
        "set b [$ns node]",
        "set c [$ns node]",
        "set n(3) [$ns node]",
        'set lan0 [$ns make-lan "$a $b $c" 100000kb 10ms]',
        "tb-set-node-startcmd $n(3) {echo hi}",
        "$ns run",
    ]
    assert warnings == ()


@pytest.mark.parametrize("wrong", ["a_b", "list", "set", "opt"])
def test_names_that_ns_does_not_have_are_refused(wrong):
    with pytest.raises(InputError):
        write_ns(Topology(elements=(Computer(name=wrong),)))


def test_a_node_and_a_link_of_one_name_are_refused():
    with pytest.raises(InputError, match="of one name"):
        write_ns(Topology(elements=(Computer(name="x"),), substrates=(Substrate(name="x"),)))


def test_what_an_ns_file_cannot_say_is_warned_of():
    slow = Substrate(name="l", capacity=Capacity(5.0))
    ends = [Computer(name=name, interfaces=(Interface(name="inf000", substrates=("l",)),)) for name in ("n", "n-1", "ns")]
    text, warnings = write_ns(Topology(elements=tuple(ends[:2]), substrates=(slow, Substrate(name="alone"))))
    assert "set n-1 [$ns node]" in text, "n is a name itself"
    assert sorted(str(warning) for warning in warnings) == [
        "substrate alone: has fewer than two members and is left out",
        "substrate l: an NS file cannot have a bandwidth of 5 kb/s (10 kb/s to 10 Gb/s)",
    ]
    assert "set sim [new Simulator]" in write_ns(Topology(elements=tuple(ends), substrates=(Substrate(name="l"),)))[0]


NAMES = ["a", "n", "n-0", "n-1", "big-lan", "tbnode-n3", "tblink-l3", "tblan-lan2", "x-9-1", "core", "ns", "sim"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=20).map(str.strip)
DELAYS = st.sampled_from([0.0, 0.05, 1.0, 2.5, 10.0, 333.0])
RATES = st.sampled_from([0.0, 10.0, 1000.0, 99_999.0, 10_000_000.0])
LOSSES = st.sampled_from(["0", "0.001", "0.01", "0.5", "1"])


@st.composite
def interfaces(draw, name, substrate, number, address):
    attributes = []
    if draw(st.booleans()):
        attributes += [Attribute("ip4_address", address), Attribute("ip4_netmask", "255.255.255.0")]
    received = {"containers:rx_loss": LOSSES, "containers:rx_latency": DELAYS.map(str), "containers:rx_rate": RATES.map(str)}
    for attribute, values in {"loss": LOSSES, **received}.items():
        if draw(st.integers(0, 3)) == 0:
            attributes.append(Attribute(attribute, draw(values)))
    capacity, latency = draw(st.none() | RATES.map(Capacity)), draw(st.none() | DELAYS.map(Latency))
    return Interface(name=f"inf{number:03}", substrates=(substrate,), capacity=capacity, latency=latency, attributes=tuple(attributes))


@st.composite
def topologies(draw):
    """Topologies of hops whose every number an NS file can say."""
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=8, unique=True))
    count = draw(st.integers(1, len(chosen) - 1))
    nodes, substrates = chosen[:count], chosen[count:]
    attached = {node: [] for node in nodes}
    for index, substrate in enumerate(substrates):
        for place, node in enumerate(draw(st.lists(st.sampled_from(nodes), max_size=4, unique=True))):
            attached[node].append(draw(interfaces(node, substrate, len(attached[node]), f"10.{index}.1.{place + 2}")))
    computers = []
    for node in nodes:
        named = st.builds(Attribute, TEXTS.filter(lambda name: name and ":" not in name), TEXTS)
        attributes = draw(st.lists(named, max_size=2, unique_by=lambda one: one.name))
        attributes += [Attribute("startup", text) for text in draw(st.lists(TEXTS, max_size=1))]
        systems = tuple(OperatingSystem(attributes=(Attribute("osid", text),)) for text in draw(st.lists(TEXTS.filter(bool), max_size=1)))
        software = tuple(draw(st.lists(st.sampled_from([Software(location="/a.rpm"), Software(location="/b.tgz", install="/opt")]), max_size=2)))
        computers.append(Computer(name=node, interfaces=tuple(attached[node]), attributes=tuple(attributes), operating_systems=systems, software=software))
    shaped = (Substrate(name=name, capacity=draw(st.none() | RATES.map(Capacity)), latency=draw(st.none() | DELAYS.map(Latency))) for name in substrates)
    return Topology(elements=tuple(computers), substrates=tuple(shaped), latency_model=draw(st.sampled_from(["hop", "hop", "path"])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(topologies())
def test_nodes_links_addresses_and_shaping_come_back(topology):
    back = written_and_read(topology)
    assert names(back) == names(topology)
    linked = {name for name, members in topology.attachments().items() if len(members) > 1}
    assert [one.name for one in back.substrates] == [one.name for one in topology.substrates if one.name in linked]
    assert {name: sorted(node.name for node, _interface in members) for name, members in back.attachments().items()} == {
        name: sorted(node.name for node, _interface in members) for name, members in topology.attachments().items() if name in linked}  # fmt: skip
    assert whole_ways(back) == whole_ways(topology)
    assert addresses(back) == {key: value for key, value in addresses(topology).items() if key[1] in linked}
    assert of_nodes(back) == of_nodes(topology)
    assert [node.software for node in back.computers] == [node.software for node in topology.computers]
