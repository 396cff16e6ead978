# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease on a machine of the pool: one experiment has it, whoever asks at the same time."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ROOT
from ansible_collections.deter.benito.plugins.module_utils.host.pool.lease import LEASES, Claim, claim_lease, offer, release_lease
from ansible_collections.deter.benito.tests.unit.host.sandbox import in_processes, sandboxed


@sandboxed
def test_of_twenty_at_the_same_time_exactly_one_gets_the_machine():
    for _round in range(10):
        statuses = in_processes(20, lambda number: claim_lease(Claim(f"P{number}.e", "somebody")))
        assert sorted(statuses) == [0] + [1] * 19, statuses
        assert release_lease(f"P{statuses.index(0)}.e", "somebody")
        assert not os.path.exists(ROOT)


@sandboxed
def test_coming_and_going_at_the_same_time_never_fails_for_another_reason_than_that_it_is_taken():
    def come_and_go(number):
        claim = Claim(f"P{number}.e", "somebody", shared=True, processes=False)
        for _round in range(50):
            assert claim_lease(claim)
            assert release_lease(claim.experiment, claim.owner)
        return True

    assert in_processes(12, come_and_go) == [0] * 12
    assert not os.path.exists(ROOT)


@sandboxed
def test_who_has_it_may_claim_it_again_and_others_are_told_who_has_it():
    mine = Claim("Proj.one", "here:/root/.benito")
    assert claim_lease(mine, dry_run=True)
    assert not os.path.exists(ROOT)
    assert claim_lease(mine)
    assert not claim_lease(mine)
    with pytest.raises(HostError, match="leased by Proj.one of here:/root/.benito since 2"):
        claim_lease(Claim("Proj.two", "there"))
    with pytest.raises(HostError, match="leased by Proj.one of here:/root/.benito since 2"):
        claim_lease(Claim("Proj.one", "there"))
    with pytest.raises(HostError, match="Proj.one on this host belongs to here:/root/.benito, not to there"):
        release_lease("Proj.one", "there")
    assert release_lease("Proj.one", mine.owner, dry_run=True)
    assert release_lease("Proj.one", mine.owner)
    assert not release_lease("Proj.one", mine.owner)


@sandboxed
def test_a_shared_machine_is_shared_within_a_project_and_across_projects_only_without_processes():
    assert claim_lease(Claim("Proj.one", "x", shared=True))
    assert claim_lease(Claim("Proj.two", "x", shared=True))
    with pytest.raises(HostError, match="leased by Proj.one"):
        claim_lease(Claim("Proj.three", "x", shared=False))
    with pytest.raises(HostError, match="experiments of two projects cannot share a machine if one of them has process nodes"):
        claim_lease(Claim("Other.one", "x", shared=True, processes=False))
    for name in ("Proj.one", "Proj.two"):
        release_lease(name, "x")
    assert claim_lease(Claim("Proj.one", "x", shared=True, processes=False))
    assert claim_lease(Claim("Other.one", "x", shared=True, processes=False))


@sandboxed
def test_two_experiments_never_reserve_more_memory_than_nodes_may_have():
    first, second = (Claim(f"Proj.{name}", "x", shared=True, memory_mb=3000) for name in ("one", "two"))
    assert claim_lease(first, limit_mb=5000)
    assert not claim_lease(first, limit_mb=5000), "its own reservation is no hindrance"
    told = offer(second, "", "")
    assert (told["memory_reserved_mb"], told["ours"]) == (3000, False)
    assert told["taken_by"] == "" and told["shared_with"].startswith("leased by Proj.one of x since 2")
    with pytest.raises(HostError, match="the machine has 5,000 MiB for nodes, of which Proj.one of x reserved 3,000; Proj.two needs 3,000 MiB"):
        claim_lease(second, limit_mb=5000)
    assert claim_lease(replace(second, memory_mb=2000), limit_mb=5000)
    assert claim_lease(Claim("Proj.three", "x", shared=True), limit_mb=5000), "who needs none is not kept out"
    assert offer(first, "", "")["memory_reserved_mb"] == 2000 and offer(first, "", "")["ours"]
    assert claim_lease(Claim("Proj.four", "x", shared=True, memory_mb=9999)), "a machine of which nothing is known is not limited"


@sandboxed
def test_of_twenty_at_the_same_time_no_more_reserve_memory_than_there_is():
    statuses = in_processes(20, lambda number: claim_lease(Claim(f"P.e{number}", "x", shared=True, memory_mb=300), limit_mb=1000))
    assert statuses.count(0) == 3, statuses


@sandboxed
def test_a_claim_that_has_changed_changes_the_lease_and_one_of_an_earlier_version_reserves_nothing():
    mine = Claim("Proj.one", "x", shared=True, memory_mb=100)
    os.makedirs(LEASES)
    with open(f"{LEASES}/Proj.one.json", "w", encoding="utf-8") as stream:
        json.dump({"experiment": "Proj.one", "owner": "x", "shared": True, "processes": True, "since": "2026-01-01T00:00:00Z"}, stream)
    assert offer(Claim("Proj.two", "x", shared=True), "", "")["memory_reserved_mb"] == 0
    assert claim_lease(mine, dry_run=True)
    assert claim_lease(mine)
    assert not claim_lease(mine)
    assert offer(Claim("Proj.two", "x", shared=True), "", "")["memory_reserved_mb"] == 100
    with open(f"{LEASES}/Proj.one.json", encoding="utf-8") as stream:
        assert json.load(stream)["since"] == "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("name", ["../../etc/x.y", "a.b.c", "a", ".", "a./b", "-a.b", "a.b\n", ""])
@sandboxed
def test_a_name_that_is_no_experiment_never_becomes_a_path(name):
    for call in (lambda: claim_lease(Claim(name, "x")), lambda: release_lease(name, "x"), lambda: offer(Claim(name, "x"), "", "")):
        with pytest.raises(HostError, match="does not name an experiment"):
            call()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"owner": 1}', '{"owner": 1, "shared": 1, "processes": 1, "since": 1, "memory_mb": ""}', '"x"', "\x00"])
@sandboxed
def test_a_damaged_lease_is_named_and_the_machine_stays_taken(text):
    os.makedirs(LEASES)
    with open(f"{LEASES}/Proj.one.json", "w", encoding="utf-8") as stream:
        stream.write(text)
    with pytest.raises(HostError, match="Proj.one.json is damaged"):
        claim_lease(Claim("Proj.two", "x"))
    with pytest.raises(HostError, match="Proj.one.json is damaged"):
        release_lease("Proj.one", "x")


@sandboxed
def test_an_offer_says_what_the_machine_has():
    os.system("ip link set lo up; ip link add under0 mtu 1600 type veth peer name far0; ip address add 192.0.2.7/24 dev under0;"
              "ip link set under0 up; ip link add bxother type vxlan id 77 dstport 4789;"
              "ip link add bbmine type bridge; ip link set bbmine alias benito:Proj.one:substrate:lan0")
    found = offer(Claim("Proj.one", "x"), "192.0.2.7", "")
    assert (found["underlay_device"], found["underlay_address"], found["underlay_mtu"]) == ("under0", "192.0.2.7", 1600)
    assert found["vnis"] == [77]
    assert "bxother" in found["links"] and "bbmine" not in found["links"]
    assert (found["taken_by"], found["shared_with"], found["ours"]) == ("", "", False)
    assert found["memory_mb"] > 100 and found["memory_reserved_mb"] == 0
    assert offer(Claim("Proj.one", "x"), "", "under0")["underlay_address"] == "192.0.2.7"
    with pytest.raises(HostError, match="the inventory says benito_experiment_address 192.0.2.8, but no interface has it"):
        offer(Claim("Proj.one", "x"), "192.0.2.8", "")
    os.system("ip link set under0 down")
    with pytest.raises(HostError, match="the experiment interface under0 is down"):
        offer(Claim("Proj.one", "x"), "192.0.2.7", "")


@pytest.mark.parametrize("bridged", [False, True])
@sandboxed
def test_an_offer_tells_the_control_network_of_the_network_card_or_of_the_bridge_above_it(bridged):
    os.environ.pop("SSH_CONNECTION", None)
    device = "control0" if bridged else "eth0"
    os.system("ip link set lo up; ip link add eth0 type veth peer name far0; ip link set eth0 up; ip link set far0 up")
    if bridged:
        os.system("ip link add control0 type bridge; ip link set eth0 master control0; ip link set control0 up")
    assert offer(Claim("Proj.one", "x"), "", "")["control_network"] == "", "there is no way out yet"
    os.system(f"ip address add 192.0.2.9/32 dev {device}; ip address add 172.28.0.11/21 dev {device}; ip route add default via 172.28.0.1")
    found = offer(Claim("Proj.one", "x"), "", "", "172.28.4.0-172.28.7.254")
    told = {key: value for key, value in found.items() if key.startswith("control_")}
    assert told == {"control_addresses": "172.28.4.0-172.28.7.254", "control_address": "172.28.0.11", "control_prefix_length": 21,
                    "control_gateway": "172.28.0.1", "control_network": "172.28.0.0/21", "control_addresses_used": []}


@sandboxed
def test_an_offer_tells_the_control_addresses_of_all_other_experiments_whatever_their_plans_are_like():
    for name, text in (("one", '{"vnodes": [{"name": "a", "control": {"ip4_address": "172.28.4.9/21"}}, {"name": "p"}]}'),
                       ("two", '{"vnodes": [{"control": {"ip4_address": "172.28.4.10/21"}}]}'), ("three", "{"), ("four", "[]"),
                       ("five", '{"vnodes": [{"control": {"ip4_address": 7.5}}]}')):
        os.makedirs(f"{ROOT}/exp/Proj.{name}")
        with open(f"{ROOT}/exp/Proj.{name}/host.json", "w", encoding="utf-8") as stream:
            stream.write(text)
    assert offer(Claim("Proj.six", "x"), "", "")["control_addresses_used"] == ["172.28.4.9", "172.28.4.10"]
    assert offer(Claim("Proj.one", "x"), "", "")["control_addresses_used"] == ["172.28.4.10"], "its own are its to have again"
    claim_lease(Claim("Proj.one", "another controller", shared=True))
    assert offer(Claim("Proj.one", "x"), "", "")["control_addresses_used"] == ["172.28.4.9", "172.28.4.10"]
