# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The conversion of containerlab's kinds (https://containerlab.dev/manual/kinds/).

A linux container has its own files, and its commands rely on them, so it becomes a system container and not a process. A network operating
system becomes a container or virtual machine without its software. A bridge becomes a LAN.
"""

from __future__ import annotations

OPENVZ, QEMU = "openvz", "qemu"
BRIDGES = ("bridge", "ovs-bridge")
# {kind that is not one of the lab's own nodes: reason to leave it out}
LEFT_OUT = {
    "host": "it is the machine containerlab runs on",
    "ext-container": "it is a container that others start",
    "k8s-kind": "it is a cluster that another program makes",
}
_VIRTUAL_MACHINES = frozenset(
    """nokia_sros arista_veos juniper_vmx juniper_vqfx juniper_vsrx juniper_vjunosrouter juniper_vjunosswitch juniper_vjunosevolved
    juniper_cjunosevolved cisco_xrd_vrouter cisco_xrv cisco_xrv9k cisco_csr1000v cisco_n9kv cisco_c8000 cisco_c8000v cisco_cat9kv cisco_ftdv
    cisco_asav cisco_vios nvidia_cumulusvx aruba_aoscx sonic-vm dell_ftosv dell_sonic mikrotik_ros huawei_vrp ipinfusion_ocnos paloalto_panos
    fortinet_fortigate checkpoint_cloudguard ciena_saos vyosnetworks_vyos generic_vm freebsd openwrt openbsd f5_bigip""".split()
)


def node_type(kind: str) -> str:
    """Return the container kind of a node of containerlab's ``kind``."""
    is_machine = kind in _VIRTUAL_MACHINES or kind.startswith(("vr-", "vr_"))
    return QEMU if is_machine else OPENVZ
