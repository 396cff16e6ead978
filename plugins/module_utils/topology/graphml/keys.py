# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The meaning of GraphML data of nodes, edges and graphs, by the names of their keys. Case and word separators are ignored.

Data of other names are kept as attributes under their own names, with one warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Interface

from ..attributes import IMAGE, IP4_ADDRESS, IP4_NETMASK, NODE_TYPE, PARTITION, PREFIX, STARTUP, containers_name
from ..imports.draft import End, LinkProfile
from ..imports.quantities import bandwidth_kbps, delay_ms, loss_fraction
from ..problem_log import ProblemLog
from ..scope import XmlElement, local_name, shown

LABEL, KIND, NAMED_KIND, OSID = "label", "kind", "named kind", "osid"
KBPS, BPS, DELAY, LOSS_OF = "kbps", "bps", "delay", "loss"
SOURCE_ADDRESS, TARGET_ADDRESS, SOURCE_INTERFACE, TARGET_INTERFACE = "source address", "target address", "source interface", "target interface"

# {role: names of keys, in lower case without word separators}
_NODE_ROLES = {
    LABEL: ("label", "name"),
    NAMED_KIND: ("nodetype", "containertype", PREFIX + NODE_TYPE),
    KIND: ("kind", "container"),
    STARTUP: ("startup", "startcommand", "startcmd", "command"),
    OSID: ("os", "osid", "operatingsystem"),
    PREFIX + IMAGE: ("image",),
    PREFIX + PARTITION: ("partition",),
    PREFIX + "memory": ("memory",),
    PREFIX + "cpus": ("cpus",),
}
_EDGE_ROLES = {
    LABEL: ("label", "name"),
    KBPS: ("bandwidth", "bw", "capacity", "rate"),
    BPS: ("linkspeedraw",),  # of the Internet Topology Zoo, in bits per second
    DELAY: ("delay", "latency"),
    LOSS_OF: ("loss", "lossrate", "packetloss", "plr"),
    PREFIX + "cost": ("cost", PREFIX + "cost"),
    SOURCE_ADDRESS: ("sourceaddress", "sourceip"),
    TARGET_ADDRESS: ("targetaddress", "targetip"),
    SOURCE_INTERFACE: ("sourceinterface",),
    TARGET_INTERFACE: ("targetinterface",),
}
_ROLES = {
    domain: {name: role for role, names in roles.items() for name in names}
    for domain, roles in (("node", _NODE_ROLES), ("edge", _EDGE_ROLES), ("graph", {}))
}
KINDS = ("embedded_pnode", "qemu", "openvz", "open_vz", "process")
LANS = ("lan", "substrate")
# Prefixes of data of an edge that are attributes of the interface at one of its ends.
SOURCE, TARGET = "source:", "target:"
_BETWEEN_WORDS = re.compile(r"[\s_.-]+")
_MOST_NAMES = 12
# Maximum size of all applied defaults: their characters, plus _EACH_TIME for each application.
_MOST_BY_DEFAULT, _EACH_TIME = 32 * 2**20, 50


@dataclass(frozen=True)
class _Key:
    """A <key> element: the data's name and role ("" for none), and their default."""

    name: str
    role: str
    default: str | None
    line: int


class Keys:
    """The key declarations of a file, and a record of the data that became attributes."""

    def __init__(self, root: XmlElement, problems: ProblemLog):
        self.problems = problems
        self._keys: dict[str, dict[str, _Key]] = {"node": {}, "edge": {}, "graph": {}}
        self._defaults: dict[str, list[_Key]] = {"node": [], "edge": [], "graph": []}
        self._by_default = 0
        self._kept: dict[str, dict[str, None]] = {"node": {}, "edge": {}, "graph": {}}
        for xml in root:
            if local_name(xml) == "key":
                self._declare(xml)

    def _declare(self, xml: XmlElement) -> None:
        line, key = xml.sourceline or 0, xml.get("id")
        if key is None:
            self.problems.error(line, "key", "has no id", '<key id="d0" for="node" attr.name="kind" attr.type="string"/>')
            return
        name = (xml.get("attr.name") or "").strip()
        default = next(((child.text or "").strip() for child in xml if local_name(child) == "default"), None)
        wanted = xml.get("for", "all")
        for domain in ("node", "edge", "graph") if wanted == "all" else (wanted,) if wanted in self._keys else ():
            self._keys[domain][key] = declared = _Key(name, role_of(name, domain), default, line)
            if default:
                self._defaults[domain].append(declared)

    def data(self, xml: XmlElement, domain: str) -> Data:
        """Return the data of a node, edge, hyperedge or graph, including defaults for missing data."""
        declared, data = self._keys[domain], Data(self, domain, xml.sourceline or 0)
        seen = set()
        for child in xml:
            if local_name(child) != "data":
                continue
            key = declared.get(child.get("key", ""))
            if key is None:
                what = shown(child.get("key", ""))
                self.problems.warn("data without a key", child.sourceline or 0, domain, f"no <key> for {domain}s declares {what}; it is left out")
            elif key in seen:
                self.problems.warn("data that are given twice", child.sourceline or 0, domain, f"{shown(key.name)} is given twice; the first counts")
            else:
                seen.add(key)
                self._take(data, key, child)
        for key in self._defaults[domain]:
            if key not in seen:
                default = key.default or ""
                data.add(key.name, key.role, default, key.line)
                self._by_default += len(default) + _EACH_TIME
        if self._by_default > _MOST_BY_DEFAULT:
            self.problems.error(0, "", "its defaults make too much of it", "say it where it holds")
            self.problems.raise_errors()
        return data

    def _take(self, data: Data, key: _Key, xml: XmlElement) -> None:
        line = xml.sourceline or 0
        if len(xml):
            label = next((inner.text for inner in xml.iter() if local_name(inner) in ("NodeLabel", "EdgeLabel") and inner.text), None)
            if label and label.strip() and data.domain == "node":
                data.drawn_label = label.strip()
            message = f"the drawing of the {data.domain} is left out" + (", but for its label" if label and data.domain == "node" else "")
            self.problems.warn("drawings", line, data.domain, message)
        elif key.name:
            data.add(key.name, key.role, xml.text or "", line)

    def keep(self, domain: str, name: str) -> None:
        self._kept[domain][name] = None

    def report_kept(self) -> None:
        """Warn of the data that became attributes without a known role."""
        for domain, names in self._kept.items():
            if names:
                listed = ", ".join(shown(name) for name in list(names)[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")
                message = f"{listed}: kept as attributes, which have an effect only where TopDL's of that name have"
                self.problems.warn(f"data of {domain}s", 0, f"data of {domain}s", message)


def role_of(name: str, domain: str) -> str:
    """Return the role of data called ``name``: a role, the name of a containers attribute, or "" if unknown."""
    canonical = containers_name(name)
    plain = PREFIX + canonical.lower() if canonical else _BETWEEN_WORDS.sub("", name.lower())
    return _ROLES[domain].get(plain, name if canonical else "")


class Data:
    """The data of one node, edge, hyperedge or graph.

    drawn_label  the label in yEd's drawing of it
    """

    def __init__(self, keys: Keys, domain: str, line: int):
        self.keys = keys
        self.domain = domain
        self.line = line
        self.drawn_label = ""
        self._roles: dict[str, tuple[str, str, int]] = {}
        self._others: list[tuple[str, str]] = []
        self._of_ends: dict[str, list[tuple[str, str]]] = {SOURCE: [], TARGET: []}

    def add(self, name: str, role: str, text: str, line: int) -> None:
        text = text.strip()
        if not text or not name:
            return
        side = name[: len(SOURCE)]
        if side in self._of_ends and self.domain == "edge" and name != side:
            self._of_ends[side].append((name.removeprefix(side), text))
        elif not role:
            self._others.append((name, text))
            self.keys.keep(self.domain, name)
        elif role in self._roles:
            message = f"{shown(name)} says the same as {shown(self._roles[role][0])}, which counts"
            self.keys.problems.warn("data that are given twice", line, self.domain, message)
        else:
            self._roles[role] = (name, text, line)

    def _text(self, role: str) -> str:
        return self._roles.get(role, ("", "", 0))[1]

    @property
    def label(self) -> str:
        return self._text(LABEL) or self.drawn_label

    @property
    def osid(self) -> str:
        return self._text(OSID)

    @property
    def is_lan(self) -> bool:
        return any(self._text(role).lower() in LANS for role in (KIND, NAMED_KIND))

    def of_graph(self) -> list[tuple[str, str]]:
        """Return the attributes of the experiment."""
        return [*((role, text) for role, (_name, text, _line) in self._roles.items()), *self._others]

    def of_node(self) -> list[tuple[str, str]]:
        """Return the attributes of a computer."""
        pairs = []
        for role, (name, text, line) in self._roles.items():
            if role == NAMED_KIND or role == KIND and text.lower() in KINDS:
                pairs.append((PREFIX + NODE_TYPE, text.lower()))
            elif role == KIND:
                message = f"{shown(text)} is no container kind; the node is of the default kind, and that is kept as the attribute {name}"
                label = f"node {shown(self.label)}" if self.label else "node"
                self.keys.problems.warn("kinds of nodes", line, label, message, f"one of {', '.join(KINDS)}, or lan")
                pairs.append((name, text))
            elif role not in (LABEL, OSID):
                pairs.append((role, text))
        return [*pairs, *self._others]

    def of_substrate(self) -> list[tuple[str, str]]:
        """Return the attributes of a link or a LAN. Data of a node that stands for a LAN which mean something of machines only are left out."""
        known = []
        for role, (name, text, line) in self._roles.items():
            if role.startswith(PREFIX) and (self.domain == "edge" or containers_name(name)):
                known.append((role, text))
            elif self.domain == "node" and role not in (LABEL, KIND, NAMED_KIND):
                label = f"LAN {shown(self.label)}" if self.label else "LAN"
                self.keys.problems.warn("data of LANs that are left out", line, label, f"{shown(name)} is left out: it means something of machines only")
        return [*known, *self._others]

    @property
    def profile(self) -> LinkProfile:
        """Return the one-way bandwidth, delay and loss of an edge; log an error for an invalid value."""
        kbps = self._number(KBPS, bandwidth_kbps) or self._number(BPS, lambda text: bandwidth_kbps(f"{text}b"))
        return LinkProfile(self._number(DELAY, delay_ms), kbps, self._number(LOSS_OF, loss_fraction))

    def ends(self) -> tuple[End, End]:
        """Return the known properties of the edge's two ends."""
        return (
            End(self._text(SOURCE_INTERFACE), (*self._address(SOURCE_ADDRESS), *self._of_ends[SOURCE])),
            End(self._text(TARGET_INTERFACE), (*self._address(TARGET_ADDRESS), *self._of_ends[TARGET])),
        )

    def _number(self, role: str, parse: Callable[[str], float]) -> float:
        if role not in self._roles:
            return 0.0
        name, text, line = self._roles[role]
        try:
            return parse(text)
        except ValueError as exc:
            message, hint = exc.args if len(exc.args) == 2 else (str(exc), "")
            self.keys.problems.error(line, f"edge, {name}", message, hint)
            return 0.0

    def _address(self, role: str) -> list[tuple[str, str]]:
        if role not in self._roles:
            return []
        name, text, line = self._roles[role]
        try:
            address = IPv4Interface(text if "/" in text else f"{text}/24")
        except ValueError:
            self.keys.problems.error(line, f"edge, {name}", f"{shown(text)} is not an IPv4 address", "such as 10.0.0.1, or 10.0.0.1/24")
            return []
        return [(IP4_ADDRESS, str(address.ip)), (IP4_NETMASK, str(address.netmask))]
