# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError, InputError
from ansible_collections.deter.benito.plugins.module_utils.host.base.plan_check import check_plan
from ansible_collections.deter.benito.plugins.module_utils.host.guest.network import addresses, machine_network
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ImagePlan, from_json, ports_of, to_json
from ansible_collections.deter.benito.plugins.module_utils.testbed.addresses import Subnets
from ansible_collections.deter.benito.plugins.module_utils.testbed.base import RELEASES
from ansible_collections.deter.benito.plugins.module_utils.testbed.local_testbed import LocalTestbed
from ansible_collections.deter.benito.plugins.module_utils.testbed.machines import Images, Machines, Size, check_size, image_recipe
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import Identity, Paths

IMAGE = ImagePlan(digest="0123456789abcdef", name="pnode", form="disk", disk_format="qcow2", kernel=True)
SUBNETS = Subnets("172.28.8.0/21", "10.254.0.0/16")


@pytest.fixture(name="machines")
def fixture_machines(tmp_path):
    identity = Identity(str(tmp_path), "own-bed")
    paths = Paths(identity, str(tmp_path / "cache"))
    os.makedirs(paths.root)
    with open(paths.key + ".pub", "w", encoding="utf-8") as stream:
        stream.write("ssh-ed25519 AAAA testbed\n")
    return Machines(identity, paths, SUBNETS)


def made(machines, name):
    os.makedirs(machines.paths.pnode(name))
    for file in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        with open(f"{machines.paths.pnode(name)}/{file}", "w", encoding="utf-8") as stream:
            stream.write("ssh-ed25519 BBBB x\n")


def test_plan_of_the_carrier_is_a_valid_host_plan(machines):
    plan = machines.plan(["own-bed-0", "own-bed-1"], IMAGE, Size(2048, 2))
    check_plan(plan, "plan")
    assert from_json(to_json(plan)) == plan
    assert (plan.experiment, plan.vhost, plan.root_keys) == ("Testbed.own-bed", "own-bed-carrier", ("ssh-ed25519 AAAA testbed",))
    assert [(vnode.memory_mb, vnode.cpus, vnode.image) for vnode in plan.vnodes] == [(2048, 2, IMAGE.digest)] * 2
    ports = [port for vnode in plan.vnodes for port in ports_of(vnode)]
    assert len(set(ports)) == 4


def test_pnode_has_its_inventory_addresses_on_the_same_interface_names_as_a_container(machines):
    (vnode,) = machines.plan(["own-bed-7"], IMAGE, Size()).vnodes
    assert addresses(vnode) == [("eth0", "172.28.8.18"), ("eth1", "10.254.0.18")]
    lines = machine_network(machines.plan(["own-bed-7"], IMAGE, Size()), vnode, 1500)["var/benito/lib/network"].text
    assert "route replace default via 172.28.8.1 dev eth0" in lines and "link set dev eth1 mtu 9000" in lines and "control0" not in lines


def test_carrier_has_its_own_addresses_and_is_no_pnode(machines):
    assert machines.identity.index_of(machines.carrier) == -1
    assert SUBNETS.control_address(-1) == "172.28.8.10" and SUBNETS.control_address(0) == "172.28.8.11"
    made(machines, "own-bed-0")
    made(machines, machines.carrier)
    assert machines.existing() == ("own-bed-0",)


def test_pnodes_without_their_carrier_are_stopped_and_the_carrier_has_no_plan(machines):
    made(machines, "own-bed-0")
    made(machines, "own-bed-10")
    made(machines, "own-bed-2")
    assert machines.states() == {"own-bed-0": "stopped", "own-bed-2": "stopped", "own-bed-10": "stopped"}
    assert machines.carrier_state() == "missing"
    assert not machines.has_plan(machines.plan(["own-bed-0"], IMAGE, Size()))


def test_image_of_each_release_is_another_one(tmp_path):
    recipes = {release: image_recipe(release) for release in RELEASES}
    assert [found.suite for found in recipes.values()] == ["bookworm", "trixie"]
    assert len({Images(str(tmp_path), release).plan("").digest for release in RELEASES}) == 2


def test_testbed_keeps_its_release(tmp_path):
    identity = Identity(str(tmp_path), "own-bed")
    paths = Paths(identity, str(tmp_path / "cache"))
    os.makedirs(paths.root)
    assert LocalTestbed(identity, paths.cache).release == "bookworm"
    with open(paths.state, "w", encoding="utf-8") as stream:
        json.dump({"control": SUBNETS.control, "experiment": SUBNETS.experiment, "backend": "qemu", "release": "trixie"}, stream)
    assert LocalTestbed(identity, paths.cache).release == "trixie"
    with pytest.raises(HostError, match="has pnodes of release trixie, not bookworm"):
        LocalTestbed(identity, paths.cache, release="bookworm")._refuse_another("release", "bookworm", "bookworm")


def test_carrier_of_machines_of_any_release_has_the_default_one(tmp_path):
    assert LocalTestbed(Identity(str(tmp_path), "own-bed"), str(tmp_path), "qemu", release="trixie").base_recipe().suite == "bookworm"
    assert LocalTestbed(Identity(str(tmp_path), "own-bed"), str(tmp_path), "lxc", release="trixie").base_recipe().suite == "trixie"


@pytest.mark.parametrize(("size", "says"), [
    (Size(128, 1), "128 MiB of memory"), (Size(1024, 0), "0 processors"), (Size(1024, 65), "65 processors"),
])
def test_impossible_size_is_refused(size, says):
    with pytest.raises(InputError, match=says):
        check_size(size, 1)


def test_pnodes_too_large_for_the_machine_are_refused_before_anything_is_made():
    with pytest.raises(HostError, match="do not fit into this machine's memory"):
        check_size(Size(1 << 20, 1), 64)


def test_testbed_keeps_its_first_image_while_it_exists(machines, tmp_path):
    testbed = LocalTestbed(machines.identity, str(tmp_path / "cache"), "qemu")
    kept = "f" * 32
    with open(machines.paths.state, "w", encoding="utf-8") as stream:
        json.dump({"backend": "qemu", "image": kept}, stream)
    assert testbed.image().digest not in (kept, "")
    os.makedirs(f"{machines.paths.pnode(machines.carrier)}/var/cache/benito/images/{kept}")
    with open(f"{machines.paths.pnode(machines.carrier)}/var/cache/benito/images/{kept}/image.json", "w", encoding="utf-8") as stream:
        stream.write("{}")
    assert testbed.image().digest == kept


def test_testbed_keeps_its_first_backend_if_none_is_given(machines, tmp_path):
    assert LocalTestbed(machines.identity, str(tmp_path / "cache")).backend == "lxc"
    with open(machines.paths.state, "w", encoding="utf-8") as stream:
        json.dump({"backend": "qemu"}, stream)
    assert LocalTestbed(machines.identity, str(tmp_path / "cache")).backend == "qemu"


def test_image_is_copied_completely_and_an_interrupted_copy_restarts(tmp_path):
    cached = tmp_path / "cache" / "images" / IMAGE.digest
    os.makedirs(cached)
    for name in ("disk", "image.json"):
        (cached / name).write_text(name)
    target = tmp_path / "carrier"
    os.makedirs(target / f".partial-{IMAGE.digest}")
    (target / f".partial-{IMAGE.digest}" / "disk").write_text("half")
    Images(str(tmp_path / "cache"), "bookworm").bring(IMAGE, str(target))
    assert sorted(os.listdir(target)) == [IMAGE.digest] and (target / IMAGE.digest / "disk").read_text() == "disk"
