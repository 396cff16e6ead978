# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qemu nodes: the command line and the unit of a virtual machine."""

from __future__ import annotations

import re
import shlex

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.command import (
    MachinePaths,
    bare_command,
    cards,
    cold_boot_args,
    hardware_of,
    incoming_args,
    program,
    quoted,
    start_args,
    unit_text,
)
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, ImagePlan, UplinkPlan
from ansible_collections.deter.benito.tests.unit.host.plans import interface, plan, with_vnode

WHERE = MachinePaths("/var/benito/exp/Proj.exp/machines/a", "/run/benito/vm/bvcontrol0000")
CONTROL = ControlPlan("bvcontrol0000", "02:00:00:00:00:aa", "172.29.0.5/22", "172.29.0.1")
PLAN = with_vnode(plan(), "a", kind="qemu", memory_mb=384, cpus=2, control=CONTROL)


def image(**changes):
    return ImagePlan(**{"digest": "0" * 32, "name": "debian-12", "form": "disk", "disk_format": "qcow2", "architecture": "x86_64", **changes})


def command(of=PLAN, acceleration="tcg", control_mtu=1500, **changes):
    vnode = of.vnodes[0]
    return [*bare_command(hardware_of(vnode, image(**changes), acceleration), vnode.name, 1879048192, WHERE), *cold_boot_args(cards(of, vnode, control_mtu))]


def values(of, option):
    return [value for name, value in zip(of, of[1:], strict=False) if name == option]


def test_cards_stand_in_the_plans_order_eight_to_a_slot_with_its_mac_addresses():
    many = tuple(interface("a", number, "lan0") for number in range(20))
    uplinks = (UplinkPlan("bvuplink00000", "lan1", "02:00:00:00:00:bb"),)
    devices = [value for value in values(command(with_vnode(PLAN, "a", interfaces=many, uplinks=uplinks)), "-device") if value.startswith("virtio-net")]
    assert [re.search(r"mac=([0-9a-f:]+)", device)[1] for device in devices] == [
        CONTROL.mac_address, *(wire.mac_address for wire in many), "02:00:00:00:00:bb"]
    slots = [re.search(r"addr=(0x[0-9a-f]+)\.([0-7])", device).groups() for device in devices]
    assert slots == [(hex(8 + number // 8), str(number % 8)) for number in range(22)]
    ports = [re.search("ifname=([^,]+)", value)[1] for value in values(command(), "-netdev")]
    assert ports == [CONTROL.port, PLAN.vnodes[0].interfaces[0].port]


def test_more_cards_than_there_is_room_for_are_refused_by_name():
    many = tuple(interface("a", number, "lan0") for number in range(192))
    with pytest.raises(HostError, match="node a has 193 network cards: a virtual machine can have 192"):
        command(with_vnode(PLAN, "a", interfaces=many))


def test_a_control_network_of_small_packets_is_told_to_the_machine():
    control, lan = (value for value in values(command(control_mtu=1400), "-device") if value.startswith("virtio-net"))
    assert CONTROL.mac_address in control and control.endswith(",host_mtu=1400") and "host_mtu" not in lan
    assert not any("host_mtu" in value for value in values(command(), "-device")), "usual packets need no word"


def test_memory_and_processors_are_the_plans_and_the_translation_buffer_is_bounded():
    found = command()
    assert values(found, "-m") == ["384M"] and values(found, "-smp") == ["2"]
    assert values(found, "-accel") == ["tcg,tb-size=40"]
    vhost = with_vnode(PLAN, "a", uplinks=(UplinkPlan("bvuplink00000", "lan1", "02:00:00:00:00:bb"),))
    assert values(command(vhost), "-accel") == ["tcg,tb-size=96"], "what carries others runs more programs"
    assert values(command(cloud_init=True), "-accel") == ["tcg,tb-size=96"], "and so does cloud-init"
    assert values(command(acceleration="kvm"), "-accel") == ["kvm"] and values(command(acceleration="kvm"), "-cpu") == ["host"]


def test_the_processor_is_the_widest_that_the_acceleration_has_unless_the_plan_names_one():
    assert values(command(), "-cpu") == ["max,la57=off"] == values(command(with_vnode(PLAN, "a", cpu_model="max")), "-cpu")
    assert values(command(acceleration="kvm"), "-cpu") == ["host"]
    assert values(command(with_vnode(PLAN, "a", cpu_model="Nehalem"), acceleration="kvm"), "-cpu") == ["Nehalem"]


def test_an_image_with_a_kernel_is_booted_by_it_and_another_by_its_own_loader():
    assert values(command(kernel=True), "-kernel") == [f"/var/cache/benito/images/{'0' * 32}/kernel"]
    assert "-kernel" not in command(kernel=False)


def test_only_an_image_with_cloud_init_has_a_second_seed():
    assert "seed.iso" in " ".join(command(cloud_init=True))
    assert "seed.iso" not in " ".join(command(cloud_init=False))


def test_it_becomes_the_user_and_group_that_it_is_given():
    assert values(command(), "-runas") == ["1879048192:1879048192"]


def test_nothing_listens_but_sockets_in_the_nodes_own_folder():
    servers = [argument for argument in command() if "server=on" in argument]
    assert len(servers) == 4 and all(f"{WHERE.sockets}/" in argument and "unix:" in argument or "socket," in argument for argument in servers)
    assert not [argument for argument in command() if re.search(r"(tcp|udp|telnet|vnc|spice)", argument)]


def test_an_unknown_architecture_is_refused_by_name():
    with pytest.raises(HostError, match="architecture vax are not supported; supported are x86_64, i386"):
        program("vax")


@pytest.mark.parametrize("word", ['plain', 'two words', 'a"b', r"back\slash", "100%", "$HOME"])
def test_systemd_takes_every_word_of_the_unit_as_it_is(word):
    read = shlex.split(quoted(word))[0]  # a shell reads quotes and backslashes as systemd does
    assert read.replace("%%", "%").replace("$$", "$") == word


def test_the_unit_may_become_its_user_and_nothing_more():
    text = unit_text("Proj.exp", "a", WHERE, command(), cold_boot_args(cards(PLAN, PLAN.vnodes[0], 1500)))
    assert "CapabilityBoundingSet=CAP_SETUID CAP_SETGID\n" in text and "NoNewPrivileges=yes\n" in text
    assert "Restart=no\n" in text, "its exit code stays to be seen"


def test_a_warm_start_differs_by_its_memory_and_by_having_no_cards_yet():
    words = incoming_args(hardware_of(PLAN.vnodes[0], image(), "tcg"), "/var/benito/exp/Proj.exp/templates/0/memory")
    assert values(words, "-incoming") == ["defer"] and "-netdev" not in words
    assert values(words, "-object") == ["memory-backend-file,id=memory,size=384M,mem-path=/var/benito/exp/Proj.exp/templates/0/memory,share=off"]
    text = unit_text("Proj.exp", "a", WHERE, ["/usr/bin/qemu"], ["-netdev", "tap,id=net0"])
    assert f"EnvironmentFile=-{WHERE.start}\n" in text and 'Environment="BENITO_START=-netdev tap,id=net0"\n' in text
    assert start_args(words).startswith('BENITO_START="-incoming defer ') and f"ExecStartPost=/bin/rm -f {WHERE.start}\n" in text, "for one start alone"
