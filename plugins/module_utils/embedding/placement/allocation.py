# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines that were lent to an experiment, with the facts that binding needs (allocation.json)."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from ...errors import ExperimentError


@dataclass(frozen=True)
class PoolHost:
    """A machine of the pool, as it was when it was lent.

    name              its inventory name
    underlay_device   device of the experiment network
    underlay_address  IPv4 address of that device, where tunnels end
    underlay_mtu      bytes
    links             names of its live network devices that are not this experiment's
    vnis              VXLAN network identifiers that others use on it
    controller        address of the controller as the machine sees it, "" if Ansible did not come by SSH
    control_gateway   of the control network's default route, "" without one
    variables         its inventory variables, with which Ansible connects to it
    """

    name: str
    underlay_device: str = ""
    underlay_address: str = ""
    underlay_mtu: int = 1500
    links: tuple[str, ...] = ()
    vnis: tuple[int, ...] = ()
    controller: str = ""
    control_gateway: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Allocation:
    """The machines and control addresses of an experiment.

    hosts    {vhost: the machine lent for it}
    control  {node: its address on the control network, such as "172.29.228.70/22"}
    """

    hosts: dict[str, PoolHost] = field(default_factory=dict)
    control: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the allocation as JSON text, one machine after the other."""
        hosts = {vhost: dataclasses.asdict(host) for vhost, host in self.hosts.items()}
        return json.dumps({"hosts": hosts, "control": self.control}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = "allocation") -> Allocation:
        """Read the JSON of ``to_json``. Raises ExperimentError when it is anything else."""
        try:
            found = json.loads(text)
            return cls({vhost: _host(data) for vhost, data in found["hosts"].items()}, dict(found.get("control", {})))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ExperimentError(f"{source}: not an allocation: {exc}") from exc


def _host(data: dict) -> PoolHost:
    return PoolHost(**{**data, "links": tuple(data.get("links", ())), "vnis": tuple(data.get("vnis", ()))})
