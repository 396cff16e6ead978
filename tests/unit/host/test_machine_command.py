# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line of a virtual machine, as far as no boot shows it."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.host.machine_command import MachinePlace, qemu_command
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ControlPlan, HostPlan, ImagePlan, InterfacePlan, SubstratePlan, VnodePlan

IMAGE = ImagePlan("d1", "debian-12", "disk", disk_format="qcow2", kernel=True)
MACHINE = VnodePlan(
    "n", "qemu", "n", (InterfacePlan("inf000", "bpone00000000", "lan", "02:00:00:00:00:01", "10.0.0.1/24"),),
    control=ControlPlan("bpctl00000000", "02:00:00:00:00:02", "172.16.0.5/24", "172.16.0.1"), image="d1",
)
PLAN = HostPlan("P", "e", "pnode-0000", substrates=(SubstratePlan("lan", "bblan00000000", 1500),), vnodes=(MACHINE,), images=(IMAGE,))


def cards(control_mtu):
    command = qemu_command(PLAN, MACHINE, IMAGE, MachinePlace("/d", "/s"), "tcg", control_mtu)
    return [word for word in command if word.startswith("virtio-net-pci")]


def test_a_control_network_of_small_packets_is_told_to_the_machine():
    control, lan = cards(1400)
    assert "mac=02:00:00:00:00:02" in control and control.endswith(",host_mtu=1400")
    assert "mac=02:00:00:00:00:01" in lan and "host_mtu" not in lan


def test_usual_packets_need_no_word():
    assert not any("host_mtu" in card for card in cards(1500))
