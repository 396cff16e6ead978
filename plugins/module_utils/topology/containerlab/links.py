# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of a containerlab topology, in brief (``["a:eth1", "b:eth1"]``) and in long form."""

from __future__ import annotations

from ipaddress import IPv4Interface
from typing import Any

from ..attributes import IP4_ADDRESS, IP4_NETMASK
from ..imports.draft import Draft, End, LinkProfile, Machine
from ..imports.yaml_source import Mapping, Sequence, Text
from ..problem_log import ProblemLog
from ..scope import shown
from .definitions import line_of, text_of

# Types of links with one end outside the lab.
_OUTWARD = ("host", "mgmt-net", "macvlan", "macvtap", "vxlan", "vxlan-stitch", "dummy")
_BRIEF = '["a:eth1", "b:eth1"]'
_LONG = "node: a, interface: eth1"
_MTU = "mtu"


class Links:
    """The links being read.

    things  {name of a node in the file: Machine or Medium}
    absent  names of nodes that were left out
    """

    def __init__(self, problems: ProblemLog, draft: Draft, things: dict, absent: set[str]):
        self.problems = problems
        self.draft = draft
        self.things = things
        self.absent = absent
        self._used: dict[tuple[str, str], int] = {}

    def read(self, topology: Mapping) -> None:
        links = topology.items.get("links")
        if links is None or isinstance(links, Text) and links.is_null:
            return
        if not isinstance(links, Sequence):
            self.problems.error(line_of(topology, "links"), "links", "is not a list", f"- endpoints: {_BRIEF}")
            return
        self.draft.refuse_too_many(len(links.items))
        for number, link in enumerate(links.items, 1):
            label = f"link number {number}"
            if isinstance(link, Mapping):
                self._link(link, label)
            else:
                self.problems.error(link.line, label, "is not a mapping", f"- endpoints: {_BRIEF}")

    def _link(self, link: Mapping, label: str) -> None:
        link_type = text_of(link, "type").lower()
        if link_type in _OUTWARD:
            self._leave_out(link.line, label, link_type)
            return
        if link_type not in ("", "brief", "veth"):
            self.problems.error(line_of(link, "type"), label, f"{shown(link_type)} is no type of link", "veth, or " + ", ".join(_OUTWARD))
            return
        endpoints = link.items.get("endpoints")
        if not isinstance(endpoints, Sequence) or len(endpoints.items) != 2:
            self.problems.error(line_of(link, "endpoints"), label, "does not have two endpoints", f"endpoints: {_BRIEF}")
            return
        found = [self._endpoint(endpoint, label) for endpoint in endpoints.items]
        ends = [end for end in found if end is not None]
        if len(ends) < len(found):
            return
        outward = next((name for name, _end in ends if name in _OUTWARD and name not in self.things or name in self.absent), None)
        if outward is not None:
            self._leave_out(link.line, label, outward)
            return
        if not all(self._is_there(name, end, link.line, label) for name, end in ends):
            return
        self._report_rest(link, label)
        mtu = text_of(link, _MTU)
        (first, left), (second, right) = ends
        attributes = [(_MTU, mtu)] if mtu else []
        self.draft.link("", link.line, self.things[first], self.things[second], LinkProfile(), LinkProfile(), attributes, (left, right))

    def _leave_out(self, line: int, label: str, what: str) -> None:
        self.problems.warn("links that are left out", line, label, f"leads out of the lab, to {shown(what)}, and is left out")

    def _endpoint(self, endpoint: Any, label: str) -> tuple[str, End] | None:
        """Return (name of the node, known properties of the end); log an error and return None if it is invalid."""
        if isinstance(endpoint, Text):
            node, colon, interface = endpoint.text.strip().partition(":")
            if node and (interface or not colon and node in _OUTWARD):
                return node, End(interface)
            self.problems.error(endpoint.line, label, f"{shown(endpoint.text)} is no endpoint", f"endpoints: {_BRIEF}")
            return None
        node = text_of(endpoint, "node") if isinstance(endpoint, Mapping) else ""
        if not node:
            self.problems.error(endpoint.line, label, "an endpoint without a node", _LONG)
            return None
        rest = [key for key in endpoint.items if key not in ("node", "interface", "ipv4")]
        if rest:
            message = f"{', '.join(shown(key)[1:-1] for key in rest[:8])} of {shown(node)} not carried over"
            self.problems.warn("endpoints with settings that are not carried over", endpoint.line, label, message)
        return node, End(text_of(endpoint, "interface"), tuple(self._address(endpoint, label)))

    def _address(self, endpoint: Mapping, label: str) -> list[tuple[str, str]]:
        text = text_of(endpoint, "ipv4")
        if not text:
            return []
        try:
            address = IPv4Interface(text if "/" in text else f"{text}/24")
        except ValueError:
            self.problems.error(line_of(endpoint, "ipv4"), label, f"{shown(text)} is not an IPv4 address", "such as 10.0.0.1/24")
            return []
        return [(IP4_ADDRESS, str(address.ip)), (IP4_NETMASK, str(address.netmask))]

    def _is_there(self, name: str, end: End, line: int, label: str) -> bool:
        thing = self.things.get(name)
        if thing is None:
            self.problems.error(line, label, f"there is no node {shown(name)}", "every endpoint is on a node of nodes:")
            return False
        place = (name, end.name)
        if isinstance(thing, Machine) and end.name and place in self._used:
            self.problems.error(line, label, f"the interface {shown(end.name)} of {shown(name)} has a link already", f"in line {self._used[place]}")
            return False
        self._used[place] = line
        return True

    def _report_rest(self, link: Mapping, label: str) -> None:
        rest = [key for key in link.items if key not in ("type", "endpoints", _MTU)]
        if rest:
            message = f"{', '.join(shown(key)[1:-1] for key in rest[:8])} not carried over"
            self.problems.warn("links with settings that are not carried over", link.line, label, message)
        if text_of(link, _MTU):
            self.problems.warn("MTUs of links", line_of(link, _MTU), label, "its MTU is kept as an attribute, without effect: nodes see 1500")
