# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network managers are told of control0."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.control_bridge import networkd, networkmanager, state
from hypothesis import given, settings
from hypothesis import strategies as st

STATIC = """\
# the operator's
[Match]
MACAddress=02:00:00:00:00:01
Name=en*

[Link]
MTUBytes=9000
MACAddress=02:00:00:00:00:01
RequiredForOnline=routable

[Network]
Address=192.0.2.1/24
DNS=192.0.2.53 \\
    192.0.2.54

[Route]
Gateway=192.0.2.254
Metric=7
"""
KEYFILE = """\
[connection]
id=Wired
uuid=11111111-2222-3333-4444-555555555555
type=ethernet

[ethernet]
mtu=9000

[ipv4]
address1=192.0.2.1/24,192.0.2.254
method=manual

[ipv6]
method=auto
"""


def lines_of(text, section):
    return [line for name, lines in networkd.sections(text) if name == section for line in lines]


def test_networkd_gives_the_bridge_everything_but_the_match_and_the_hardware_address():
    text = networkd.network_for_bridge(STATIC)
    assert lines_of(text, "Match") == ["Name=control0"]
    assert lines_of(text, "Link") == ["MTUBytes=9000", "RequiredForOnline=routable"]
    assert [line.split() for line in lines_of(text, "Network")] == [["Address=192.0.2.1/24"], ["DNS=192.0.2.53", "192.0.2.54"]]
    assert lines_of(text, "Route") == ["Gateway=192.0.2.254", "Metric=7"]


def test_the_interface_below_keeps_its_link_settings_and_nothing_waits_for_it_to_be_online():
    text = networkd.network_for_port("enp1s0", STATIC)
    assert lines_of(text, "Match") == ["Name=enp1s0"]
    assert lines_of(text, "Link") == ["MTUBytes=9000", "MACAddress=02:00:00:00:00:01", "RequiredForOnline=no"]
    assert "Bridge=control0" in lines_of(text, "Network")


def test_the_dhcp_client_of_the_bridge_calls_itself_what_the_interface_was_called():
    text = networkd.network_for_bridge("[Match]\nName=e*\n[Network]\nDHCP=yes\n", iaid="3015971484")
    assert lines_of(text, "DHCPv4") == lines_of(text, "DHCPv6") == ["IAID=3015971484"]


def test_an_identity_association_that_the_operator_chose_is_left():
    assert lines_of(networkd.network_for_bridge("[DHCPv4]\nIAID=7\n", iaid="3015971484"), "DHCPv4") == ["IAID=7"]


@pytest.mark.parametrize("line", ["Bridge=br0", "Bond=bond0", "VLAN=eth0.5", "VRF=blue", "MACVLAN=mv0"])
def test_networkd_putting_the_interface_to_another_use_is_refused_by_name(line):
    with pytest.raises(HostError, match=line):
        networkd.network_for_bridge(f"[Network]\n{line}\n")


SETTING = st.builds("{}={}x".format, st.sampled_from(["DNS", "Metric", "Scope", "Domains"]), st.text("a0 .:/=", max_size=6))


@given(st.lists(st.tuples(st.sampled_from(["Network", "Route", "Address", "DHCPv4"]), st.lists(SETTING, max_size=4)), max_size=5))
@settings(max_examples=60)
def test_no_setting_of_the_operator_is_lost_or_reordered(parts):
    text = "\n".join("\n".join([f"[{name}]", *lines]) for name, lines in parts)
    assert networkd.sections(networkd.network_for_bridge(text))[1:] == list(parts)


def test_our_files_come_before_any_that_an_operator_numbers():
    assert sorted(["00-all.network", networkd.NETWORK, networkd.PORT, "10-netplan-eth0.network"])[2:] == ["00-all.network", "10-netplan-eth0.network"]


def test_networkmanager_gives_the_bridge_the_addressing_and_the_port_the_hardware_settings():
    bridge, port = networkmanager.bridge_profile("02:00:00:00:00:01", KEYFILE), networkmanager.port_profile("eth0", KEYFILE)
    assert lines_of(bridge, "ipv4") == ["address1=192.0.2.1/24,192.0.2.254", "method=manual"]
    assert lines_of(bridge, "ipv6") == ["method=auto"]
    assert "mac-address=02:00:00:00:00:01" in lines_of(bridge, "bridge")
    assert not lines_of(port, "ipv4")
    assert lines_of(port, "ethernet") == ["mtu=9000"]
    assert "uuid=11111111-2222-3333-4444-555555555555" not in bridge + port


@pytest.mark.parametrize(("text", "named"), [
    ("[802-1x]\neap=tls;\n", r"\[802-1x\]"), ("[wifi]\nssid=x\n", r"\[wifi\]"), ("[connection]\nmaster=bond0\n", "master=bond0"),
])
def test_a_networkmanager_profile_with_more_than_addressing_is_refused_by_name(text, named):
    with pytest.raises(HostError, match=named):
        networkmanager.refuse_odd_profile(text)


@pytest.mark.parametrize("user", ["noeid", "../x.y", "a.b/c", ".b", "a."])
def test_a_user_that_is_no_experiment_is_refused(user):
    with pytest.raises(HostError, match="pid.eid"):
        state.check_user(user)
