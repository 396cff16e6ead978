# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host plan as JSON: what was written comes back, anything else is one clear error."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_check import check_plan
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, from_json, to_json
from ansible_collections.deter.benito.tests.unit.host.plans import TUNNEL, plan, with_vnode
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


def read(text):
    found = from_json(text)
    check_plan(found, "host plan")
    return found


def test_a_plan_survives_its_file():
    assert read(to_json(plan())) == plan()


@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3), st.dictionaries(TEXT, st.integers(), max_size=3), TEXT.filter(bool))
def test_any_text_in_it_survives_its_file(command, environment, sysctls, name):
    made = with_vnode(dataclasses.replace(plan(), sysctls=sysctls), "a", start_command=command, environment=environment, hostname=name)
    assert from_json(to_json(made)) == made


@pytest.mark.parametrize(("text", "message"), [
    ("", "not a host plan"), ("{", "not a host plan"), ("[" * 100_000, "not a host plan"), ("[]", "host plan of version None"), ("3", "version None"),
    ("{}", "host plan of version None, but this benito-host reads version 3: swap in again"), ('{"version": 1}', "version 1"),
    ('{"version": 3}', "HostPlan: .*missing"), ('{"version": true, "pid": "a"}', "host plan of version True"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": 3}', "vhost: expected str, found 3"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": "c", "colour": "red"}', "HostPlan has no field colour"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": "c", "vnodes": {}}', "vnodes: expected a list"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": "c", "vnodes": [3]}', "expected an object for VnodePlan, found int"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": "c", "sysctls": {"a.b": true}}', "sysctls: expected int, found True"),
    ('{"version": 3, "pid": "a", "eid": "b", "vhost": "c", "sysctls": []}', "sysctls: expected an object of int"),
    ('{"version": 3, "pid": "a\\ud800", "eid": "b", "vhost": "c"}', "is not text"),
])
def test_what_is_no_plan_is_one_clear_error(text, message):
    with pytest.raises(HostError, match=message):
        from_json(text)


@settings(deadline=None)
@given(st.data())
def test_a_plan_in_which_anything_was_replaced_by_anything_is_a_plan_or_a_clear_error(data):
    changed = json.loads(to_json(plan()))
    where = changed
    while True:
        key = data.draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        if isinstance(where[key], (dict, list)) and where[key] and data.draw(st.booleans()):
            where = where[key]
        else:
            break
    if data.draw(st.booleans()):
        where[key] = data.draw(JSON)
    elif isinstance(where, dict):
        where[data.draw(st.text())] = where.pop(key)
    try:
        assert isinstance(read(json.dumps(changed)), HostPlan)
    except HostError:
        pass


def tunnel(**changes):
    lan0, lan1 = plan().substrates
    return {"substrates": (lan0, dataclasses.replace(lan1, tunnel=dataclasses.replace(TUNNEL, **changes)))}


def lan(**changes):
    lan0, lan1 = plan().substrates
    return {"substrates": (dataclasses.replace(lan0, **changes), lan1)}


INTERFACE = plan().vnodes[0].interfaces[0]
ROUTE = plan().vnodes[0].routes[0]
ENTRY = plan().hosts[0]


@pytest.mark.parametrize(("changes", "message"), [
    ({"pid": "../x"}, "pid '../x' is not a valid name"), ({"eid": "a b"}, "eid 'a b' is not a valid name"), ({"eid": "a.b"}, "is not a valid name"),
    ({"sysctls": {"../../x": 1}}, "sysctl '../../x' is not a valid name"), ({"sysctls": {"a/b.c": 1}}, "is not a valid name"),
    ({"hosts": (dataclasses.replace(ENTRY, address="10.0.0.1\n6.6.6.6 evil"),)}, "is not a valid line of a hosts file"),
    ({"hosts": (dataclasses.replace(ENTRY, names=("a b",)),)}, "is not a valid line of a hosts file"),
    (lan(name="a;b"), "substrate 'a;b': its name is not valid"), (lan(bridge="eth0"), "bridge 'eth0' is not a valid device name"),
    (lan(bridge="bx; drop"), "is not a valid device name"), (lan(mtu=0), "MTU 0 is not valid"), (lan(name="lan1"), "substrate 'lan1' occurs twice"),
    (lan(bridge=TUNNEL.device), "device 'bxtunnel00000' occurs twice"), (lan(probe_address="x"), "probe address 'x' is not an IPv4 address"),
    (tunnel(mode="x"), "neither unicast nor multicast"), (tunnel(vni=0), "identifier 0"), (tunnel(vni=1 << 24), "identifier 16777216"),
    (tunnel(port=65536), "port 65536"), (tunnel(local="1.2.3"), "tunnel end '1.2.3' is not an IPv4 address"),
    (tunnel(remotes=("1.2.3.4 } accept",)), "is not an IPv4 address"), (tunnel(mode="multicast"), "tunnel end '' is not an IPv4 address"),
    (tunnel(device="lo"), "'lo' is not a valid device name"),
])
def test_a_plan_that_no_host_can_follow_is_refused(changes, message):
    with pytest.raises(HostError, match=message):
        check_plan(plan(**changes), "host.json")


@pytest.mark.parametrize(("changes", "message"), [
    ({"name": "../../../etc"}, "node '../../../etc'"), ({"name": "b"}, "node 'b' occurs twice"), ({"hostname": "a b"}, "host name 'a b'"),
    ({"interfaces": (dataclasses.replace(INTERFACE, name="lo"),)}, "interface 'lo'"),
    ({"interfaces": (dataclasses.replace(INTERFACE, port="eth0"),)}, "port 'eth0'"),
    ({"interfaces": (dataclasses.replace(INTERFACE, mac_address="03:00:00:00:00:00"),)}, "MAC address"),
    ({"interfaces": (dataclasses.replace(INTERFACE, substrate="lan9"),)}, "there is no substrate 'lan9'"),
    ({"interfaces": (dataclasses.replace(INTERFACE, ip4_address="10.0.0.1"),)}, "is not an IPv4 address with a prefix length"),
    ({"interfaces": (dataclasses.replace(INTERFACE, ip4_address="10.0.0.1/33"),)}, "is not an IPv4 address with a prefix length"),
    ({"interfaces": (INTERFACE, dataclasses.replace(INTERFACE, port="bvother"))}, "interface 'inf000' occurs twice"),
    ({"routes": (dataclasses.replace(ROUTE, to="default"),)}, "route to 'default'"), ({"routes": (dataclasses.replace(ROUTE, via=""),)}, "via ''"),
    ({"aliases": {"r": "10.9.9.9"}}, "no host has the address '10.9.9.9'"), ({"aliases": {"r\n": "10.0.0.1"}}, "alias"),
    ({"start_command": "a\0b"}, "null byte"), ({"environment": {"A=B": "c"}}, "variable 'A=B' is not valid"), ({"environment": {"A": "\0"}}, "variable 'A'"),
])
def test_a_node_that_no_host_can_make_is_refused(changes, message):
    with pytest.raises(HostError, match=message):
        check_plan(with_vnode(plan(), "a", **changes), "host.json")


def test_of_many_problems_the_first_are_said():
    bad = dataclasses.replace(plan(), vnodes=tuple(dataclasses.replace(plan().vnodes[0], name=f"a b{n}", interfaces=()) for n in range(20)))
    with pytest.raises(HostError, match="and 15 more$"):
        check_plan(bad, "host.json")


@pytest.mark.parametrize(("model", "valid"), [("", True), ("max", True), ("Nehalem,+avx", True), ("max -monitor stdio", False), ("-cpu", False)])
def test_a_processor_model_is_one_word_of_qemu(model, valid):
    text = to_json(with_vnode(plan(), "a", cpu_model=model))
    if valid:
        assert read(text).vnodes[0].cpu_model == model
    else:
        with pytest.raises(HostError, match="its processor model .* is not valid"):
            read(text)
