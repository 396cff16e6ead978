# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking into a network: whole, in one pass, within a bound."""

from __future__ import annotations

import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.net import netlink
from ansible_collections.deter.benito.plugins.module_utils.host.net.inside import Interface, differences, look_inside
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

A = plan().vnodes[0]


def ip(text):
    subprocess.run(["ip", "-batch", "-"], input=text, text=True, check=True)


@sandboxed
def test_a_network_is_seen_as_the_longer_lists_have_it():
    ip("link add inf000 address 02:00:00:00:61:00 mtu 1500 up type bridge\naddress add 10.0.0.1/24 dev inf000\nroute add 10.0.0.0/16 via 10.0.0.254\n")
    seen, links = look_inside(), netlink.links()
    assert seen.links == {name: Interface(link.index, link.up, link.mtu, link.mac_address) for name, link in links.items()}
    assert (seen.addresses, seen.routes) == (netlink.ipv4_addresses(), netlink.ipv4_gateway_routes())
    assert seen.routes == {("10.0.0.0/16", "10.0.0.254")}
    assert differences(A, seen, {"lan0": 1500}) == [] and differences(A, seen, {"lan0": 1400}) == ["inf000 has MTU 1500 instead of 1400"]


@sandboxed
def test_a_list_beyond_the_bound_is_an_error_and_one_within_it_is_whole():
    ip("".join(f"link add x{number} type bridge\n" for number in range(9)))
    assert len(look_inside(most=10).links) == 10
    with pytest.raises(HostError, match="more than 9 network settings"):
        look_inside(most=9)
