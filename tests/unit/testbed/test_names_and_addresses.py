# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError, InputError
from ansible_collections.deter.benito.plugins.module_utils.testbed.addresses import MOST_PNODES, Subnets, choose_subnets
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import CONTROL, EXPERIMENT, Identity, Paths, identify
from hypothesis import given
from hypothesis import strategies as st

networks = st.builds(lambda number, prefix: str(ipaddress.ip_network((number, prefix), strict=False)), st.integers(0, 2**32 - 1), st.integers(12, 32))


def test_device_names_have_at_most_fifteen_characters_and_are_unique():
    names = []
    for identity in (Identity("/home/a", "local"), Identity("/home/b", "local"), Identity("/home/a", "other")):
        names += [identity.control_bridge, identity.experiment_bridge]
        names += [identity.port(identity.pnode(index), interface) for index in range(100) for interface in (CONTROL, EXPERIMENT)]
    assert {len(name) for name in names} == {15}
    assert len(set(names)) == len(names)


def test_mac_addresses_are_unicast_locally_administered_and_distinct():
    identity = Identity("/home/a", "local")
    addresses = {identity.mac_address(identity.pnode(index), interface) for index in range(500) for interface in (CONTROL, EXPERIMENT)}
    assert len(addresses) == 1000
    assert all(address.startswith("02:") and len(address) == 17 for address in addresses)


def test_pnode_name_and_number_determine_each_other():
    identity = Identity("/home/a", "my-bed")
    assert identity.index_of(identity.pnode(17)) == 17
    assert [identity.index_of(name) for name in ("my-bed-", "my-bed-01", "my-bed-x", "bed-1", "my-bed-1.old")] == [-1] * 5


@pytest.mark.parametrize("name", ["", "-a", "a-", "Local", "a b", "a/b", "..", "a" * 17, "1a", "ä"])
def test_name_that_is_no_host_name_is_refused(name):
    with pytest.raises(InputError, match="is not a valid name of a testbed"):
        identify("/home/a", name)


@pytest.mark.parametrize("home", ["/tmp/a b", "/tmp/a:b", "/tmp/a,b", "/tmp/a'b"])
def test_home_that_mount_options_or_ssh_cannot_express_is_refused(home):
    with pytest.raises(InputError, match="BENITO_HOME"):
        identify(home, "local")


def test_home_is_the_same_by_every_path_to_it(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert identify(str(tmp_path / "link"), "local") == identify(str(tmp_path / "home"), "local")


def test_default_testbed_has_the_plain_inventory_file_and_others_have_their_own():
    files = [Paths(Identity("/b", name), "/b/cache").inventory for name in ("local", "test")]
    assert files == ["/b/inventory/local_testbed.yml", "/b/inventory/local_testbed_test.yml"]


@given(st.lists(networks, max_size=20), st.integers(0, 2**80))
def test_chosen_subnets_overlap_with_nothing_taken(taken, start):
    try:
        subnets = choose_subnets(taken, start)
    except HostError:
        return
    for chosen in (subnets.control, subnets.experiment):
        assert not any(ipaddress.ip_network(chosen).overlaps(ipaddress.ip_network(network)) for network in taken)
    assert not ipaddress.ip_network(subnets.control).overlaps(ipaddress.ip_network(subnets.experiment))


def test_testbeds_with_different_start_of_search_take_different_control_networks():
    first = choose_subnets([], start=5)
    second = choose_subnets([first.control], start=5)
    assert first.control != second.control


def test_machine_that_routes_everything_leaves_no_control_subnet():
    with pytest.raises(HostError, match="no free control subnet for a local testbed"):
        choose_subnets(["0.0.0.0/0"])


def test_largest_testbed_has_addresses_for_all_pnodes_in_its_subnets():
    subnets = Subnets("172.28.8.0/21", "10.254.0.0/16")
    addresses = [subnets.control_address(index) for index in range(MOST_PNODES)]
    assert all(ipaddress.ip_address(address) in ipaddress.ip_network(subnets.control) for address in addresses)
    assert len({*addresses, subnets.gateway}) == MOST_PNODES + 1
    assert subnets.experiment_address(0) == "10.254.0.11"
