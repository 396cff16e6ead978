# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image a node is made of, and how much memory, processor and disk it gets."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.node_view import read_nodes
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.catalogue import (
    BUILD,
    BUILT_IN,
    PATH,
    URL,
    CatalogueImage,
    catalogue,
)
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.images import choose_images
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.provisioning import Resources
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.resources import node_resources
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Cpu, OperatingSystem
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo

SUM = "ab" * 32
NOT_OF_A_TOPOLOGY = (
    "file:///etc/shadow", "file:/etc/shadow", "file://localhost/etc/shadow", "FILE:///etc/shadow", "url:file:///etc/shadow", "<file:///etc/shadow>",
    "ftp://images.example/p", "data:,x", "netdoc:/etc/shadow", "/etc/shadow", "~/disk.qcow2", "http:/etc/shadow", "http:///etc/shadow", "https:",
)
"""What a topology may not name as the address of an image."""
IMAGES = catalogue({
    "router": {"path": "/images/router.qcow2", "cloud_init": False},
    "Ubuntu1604-STD": {"url": "http://images.example/u.qcow2.xz", "sha256": SUM.upper(), "architecture": "i386"},
    "old-root": {"path": "/images/old.tar.gz", "form": "root"},
    "tools": {"build": {"suite": "trixie", "packages": ["tcpdump"]}},
})


def a_node(kind="qemu", os=None, cpus=(), **containers):
    """A topology of one computer ``a``; os: fields of its operating system, ``osid`` among them."""
    topology = vtopo({"lan0": "a"}, a={"node_type": kind, **containers})
    computer = dataclasses.replace(topology.computers[0], cpus=tuple(Cpu(count=count) for count in cpus))
    if os:
        osid = (Attribute("osid", os.pop("osid")),) if "osid" in os else ()
        computer = dataclasses.replace(computer, operating_systems=(OperatingSystem(attributes=osid, **os),))
    return dataclasses.replace(topology, elements=(computer,))


def chosen(topology):
    choice = choose_images(read_nodes(topology), IMAGES, "debian-12")
    return choice.images["a"][0], choice.warnings


@pytest.mark.parametrize(
    "node, expected",
    [
        ({}, "debian-12"),
        ({"image": "debian-13"}, "debian-13"),
        ({"image": "Debian-13", "os": {"osid": "Ubuntu1604-STD"}}, "debian-13"),
        ({"os": {"osid": "Ubuntu1604-STD"}}, "Ubuntu1604-STD"),
        ({"os": {"osid": "ubuntu1604-std"}}, "Ubuntu1604-STD"),
        ({"os": {"name": "Debian", "version": "13"}}, "debian-13"),
        ({"os": {"name": "Linux", "version": "6.1", "distribution": "debian", "distributionversion": "13"}}, "debian-13"),
        ({"os": {"name": "tools"}}, "tools"),
        ({"kind": "openvz"}, "debian-12"),
        ({"kind": "openvz", "openvz_template": "old-root"}, "old-root"),
        ({"kind": "openvz", "image": "old-root", "openvz_template": "none"}, "old-root"),
        ({"openvz_template": "none"}, "debian-12"),
        ({"kind": "openvz", "qemu_url": "none"}, "debian-12"),
    ],
)
def test_the_first_that_says_something_wins(node, expected):
    image, warnings = chosen(a_node(**node))
    assert (image.name, warnings) == (expected, ())


def test_a_url_names_an_image_with_its_checksum_and_architecture():
    address = "http://images.example/pangolin.bz2"
    image, _warnings = chosen(a_node(qemu_url=f"{address}#sha256={SUM.upper()}", qemu_arch="i386"))
    assert image == CatalogueImage("pangolin.bz2", URL, address, sha256=SUM, architecture="i386")
    assert chosen(a_node(maverick_url=f"{address}#{SUM}"))[0].reference == address


@pytest.mark.parametrize(
    "node, warning",
    [
        ({"os": {"osid": "FBSD9-64-STD"}}, "computer a: the operating system FBSD9-64-STD is not in the catalogue: the node is made of debian-12"),
        ({"os": {"name": "Windows", "version": "XP"}}, "Windows-XP is not in the catalogue"),
        ({"kind": "openvz", "openvz_template": "ubuntu-12.04-x86"}, "DETER's template ubuntu-12.04-x86"),
        ({"kind": "openvz", "openvz_template": "centos-6-x86_64"}, "DETER's template centos-6-x86_64"),
    ],
)
def test_what_old_files_name_is_a_warning_and_the_default(node, warning):
    image, warnings = chosen(a_node(**node))
    assert image == BUILT_IN["debian-12"]
    assert warning in str(warnings[0]) and str(warnings[0]).startswith("test.xml:100: computer a: ")


@pytest.mark.parametrize(
    "node, problem",
    [
        ({"image": "debian-11"}, "there is no image 'debian-11' (the images are Ubuntu1604-STD, debian-12, "),
        ({"kind": "openvz", "openvz_template": "mine"}, "there is no template 'mine'"),
        ({"kind": "openvz", "image": "router"}, "the image router is no image for kind openvz (the images are debian-12, debian-13, old-root, tools)"),
        ({"image": "old-root"}, "the image old-root is no image for kind qemu"),
        ({"qemu_url": "http://images.example/p"}, "comes without its checksum (http://images.example/p#sha256="),
        ({"qemu_url": "http://images.example/p#sha256=12"}, "comes without its checksum"),
        ({"qemu_url": f"http://images.example/p#{SUM}", "qemu_arch": "vax"}, "qemu_arch 'vax' is not known (one of x86_64, i386, aarch64)"),
    ],
)
def test_what_cannot_be_had_is_an_error_that_names_the_computer(node, problem):
    with pytest.raises(InputError) as caught:
        chosen(a_node(**node))
    assert str(caught.value).startswith("test.xml:100: computer a: ") and problem in str(caught.value)


@pytest.mark.parametrize("attribute", ["qemu_url", "maverick_url"])
@pytest.mark.parametrize("address", NOT_OF_A_TOPOLOGY)
def test_a_topology_can_name_no_file_of_the_controller(attribute, address):
    with pytest.raises(InputError) as caught:
        chosen(a_node(**{attribute: f"{address}#sha256={SUM}"}))
    hint = "a file of the controller needs an entry in the site's images, for containers:image to name"
    assert str(caught.value) == f"test.xml:100: computer a: qemu_url '{address}' is no http or https URL ({hint})"


def test_all_errors_come_at_once_and_other_kinds_have_no_image():
    topology = vtopo({"lan0": "a b c"}, a={"node_type": "qemu", "image": "x"}, b={"node_type": "process", "image": "y"}, c={"node_type": "qemu", "image": "z"})
    with pytest.raises(InputError) as caught:
        choose_images(read_nodes(topology), IMAGES, "debian-12")
    assert [problem.element for problem in caught.value.problems] == ["computer a", "computer c"]


def test_virtual_machines_that_are_no_computers_are_made_of_the_default():
    assert choose_images(read_nodes(vtopo({})), IMAGES, "tools", ["vm-0"]).images == {"vm-0": (IMAGES["tools"], "disk")}
    with pytest.raises(InputError, match="old-root, which is no disk"):
        choose_images(read_nodes(vtopo({})), IMAGES, "old-root", ["vm-0"])


def test_a_site_may_replace_a_built_in_image():
    assert catalogue({"debian-12": {"path": "/mine"}})["debian-12"] == CatalogueImage("debian-12", PATH, "/mine")
    assert catalogue({})["debian-13"] == CatalogueImage("debian-13", BUILD, "trixie")


@pytest.mark.parametrize(
    "node, expected",
    [
        ({}, Resources(512, 1, 0, "max")),
        ({"memory": "1G"}, Resources(1024, 1, 0, "max")),
        ({"memory": "768"}, Resources(768, 1, 0, "max")),
        ({"memory": "1.5 GB", "cpu": "no such attribute"}, Resources(1536, 1, 0, "max")),
        ({"cpus": (2, 2)}, Resources(512, 4, 0, "max")),
        ({"kind": "openvz"}, Resources(256, 0, 2048)),
        ({"kind": "openvz", "memory": "64M", "openvz_diskspace": "3G"}, Resources(64, 0, 3072)),
        ({"kind": "openvz", "openvz_diskspace": "500m"}, Resources(256, 0, 500)),
        ({"kind": "openvz", "openvz_diskspace": "2097152"}, Resources(256, 0, 2048)),
        ({"openvz_diskspace": "3G"}, Resources(512, 1, 0, "max")),
    ],
)
def test_resources_come_from_the_topology_else_from_the_site(node, expected):
    assert node_resources(read_nodes(a_node(**node)), EmbeddingSettings()) == {"a": expected}


def test_the_site_says_what_the_topology_does_not_and_hidden_machines_have_only_that():
    settings = EmbeddingSettings(qemu_memory_mb=700, qemu_cpus=3, qemu_disk_mb=9000, qemu_cpu="Nehalem")
    assert node_resources(read_nodes(a_node()), settings, ["vm-0"]) == dict.fromkeys(("vm-0", "a"), Resources(700, 3, 9000, "Nehalem"))


@pytest.mark.parametrize(
    "node, problem",
    [
        ({"memory": "much"}, "containers:memory 'much' is not a size (a number and G or M, like 2G)"),
        ({"memory": "0"}, "is not a size"),
        ({"memory": "64M"}, "64 MiB of memory are too few for kind qemu (at least 128M)"),
        ({"kind": "openvz", "openvz_diskspace": "2T"}, "containers:openvz_diskspace '2T' is not a size"),
    ],
)
def test_a_size_that_is_none_is_an_error(node, problem):
    with pytest.raises(InputError) as caught:
        node_resources(read_nodes(a_node(**node)), EmbeddingSettings())
    assert problem in str(caught.value)


@pytest.mark.parametrize("text", ["0", "many", "1.5", "256"])
def test_a_number_of_processors_that_is_none_is_an_error(text):
    topology = vtopo({"lan0": "a"}, a={"node_type": "openvz", "cpus": text})
    with pytest.raises(InputError, match="is not a number of processors"):
        node_resources(read_nodes(topology), EmbeddingSettings())


def test_a_hidden_machine_is_made_of_what_its_processes_say():
    images = catalogue({"irc": {"build": {"suite": "bookworm", "packages": ["ngircd"]}}, "web": {"build": {"suite": "trixie"}}})

    def inside(**image):
        return {"node_type": "process", "vhost": "carrier", **image}

    topology = vtopo({"lan0": "p q"}, p=inside(), q=inside(image="irc"))
    assert choose_images(read_nodes(topology), images, "debian-12", ["carrier"]).images["carrier"][0].name == "irc"
    assert choose_images(read_nodes(vtopo({"lan0": "p"}, p=inside())), images, "debian-12", ["carrier"]).images["carrier"][0].name == "debian-12"
    with pytest.raises(InputError, match="computer q: its vhost carrier would be made of web and irc"):
        choose_images(read_nodes(vtopo({"lan0": "p q"}, p=inside(image="web"), q=inside(image="irc"))), images, "debian-12", ["carrier"])
    with pytest.raises(InputError, match="there is no image 'ircd'"):
        choose_images(read_nodes(vtopo({"lan0": "p"}, p=inside(image="ircd"))), images, "debian-12", ["carrier"])


@pytest.mark.parametrize(("node", "template", "image"), [
    ({"kind": "openvz"}, "debian-13", "debian-13"),
    ({"kind": "openvz", "openvz_template": "debian-12"}, "debian-13", "debian-12"),
    ({"kind": "openvz", "os": {"name": "Debian", "version": "12"}}, "debian-13", "debian-12"),
    ({"kind": "openvz", "os": {"osid": "FBSD"}}, "debian-13", "debian-13"),
    ({"kind": "openvz"}, "ubuntu-10.04-x86", "debian-12"),
    ({"kind": "openvz"}, "", "debian-12"),
    ({"kind": "qemu"}, "debian-13", "debian-12"),
])
def test_the_template_of_the_setting_is_the_image_of_openvz_nodes_that_ask_for_none(node, template, image):
    choice = choose_images(read_nodes(a_node(**node)), IMAGES, "debian-12", (), template)
    assert choice.images["a"][0].name == image
    assert any("ubuntu-10.04-x86" in str(warning) for warning in choice.warnings) == (template == "ubuntu-10.04-x86")
