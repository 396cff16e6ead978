# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host plans for tests: two LANs with a router between them, one of them going on elsewhere."""

from __future__ import annotations

import dataclasses

from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, HostsEntry, InterfacePlan, RoutePlan, SubstratePlan, Tunnel, VnodePlan

LOCAL, REMOTE = "192.0.2.1", "192.0.2.2"
TUNNEL = Tunnel("unicast", 4097, "bxtunnel00000", LOCAL, (REMOTE,))


def plan(**changes) -> HostPlan:
    """``a -- lan0 -- r -- lan1 -- b``, and lan1 has members on pnode-0001."""
    made = HostPlan(
        "Proj", "exp", "pnode-0000",
        substrates=(
            SubstratePlan("lan0", "bblan00000000", 1500),
            SubstratePlan("lan1", "bblan10000000", 1500, TUNNEL, "169.254.1.1", {"pnode-0001": "169.254.1.2"}),
        ),
        vnodes=(
            VnodePlan("a", "process", "a", (interface("a", 0, "lan0", "10.0.0.1/24"),), (RoutePlan("10.0.0.0/16", "10.0.0.254"),)),
            VnodePlan("r", "process", "r", (interface("r", 0, "lan0", "10.0.0.254/24"), interface("r", 1, "lan1", "10.0.1.254/24")), forwarding=True),
            VnodePlan("b", "process", "b", (interface("b", 0, "lan1", "10.0.1.1/24"),), (RoutePlan("10.0.0.0/16", "10.0.1.254"),),
                      aliases={"r": "10.0.1.254"}),
        ),
        hosts=(HostsEntry("10.0.0.1", ("a-lan0", "a-0", "a")), HostsEntry("10.0.0.254", ("r-lan0", "r-0", "r")),
               HostsEntry("10.0.1.254", ("r-lan1", "r-1")), HostsEntry("10.0.1.1", ("b-lan1", "b-0", "b"))),
        underlay_mtu=1600,
    )
    return dataclasses.replace(made, **changes)


def interface(node: str, number: int, substrate: str, address: str = "") -> InterfacePlan:
    return InterfacePlan(f"inf{number:03}", f"bv{node}{number}{'0' * 9}", substrate, f"02:00:00:00:{ord(node[0]):02x}:{number:02x}", address)


def with_vnode(base: HostPlan, which: str, **changes) -> HostPlan:
    """The plan with something else about one node."""
    return dataclasses.replace(base, vnodes=tuple(dataclasses.replace(v, **changes) if v.name == which else v for v in base.vnodes))
