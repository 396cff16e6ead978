# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology's picture in the language of Graphviz: its shapes, lines and labels.

The kind of a node determines its shape. A substrate with two members is a line; any other is a small node with a line to each member. Boxes
around nodes can show their pnode, and the virtual machine that contains processes. The larger the topology, the fewer labels are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import pi, sqrt

from ..attributes import GHOST, containers_attribute, is_true
from ..model import Computer, Interface, OtherElement, Topology
from .dot_language import Identifiers, attributes, box, literal, quoted, shortened, statement
from .labels import address, lan_words, link_words
from .style import FONTS, INK, LAN, MACHINE_BOX, PNODE_BOX, QUIET, WIRE, Style, in_order, legend, style_of

EVERYTHING, NAMES, NODES = "everything", "names of nodes and substrates", "names of nodes and LANs"
DRAW_BOXES = ("dot", "fdp")
NEATO = "neato"
_MOST_WITH_EVERYTHING, _MOST_WITH_NAMES = 80, 160  # limits for nodes and LANs; for lines twice as many
_POINTS_OF_AN_INCH = 72
_LARGEST_INCHES = 75  # larger pictures are scaled down: drawing a bitmap of 7,200 × 7,200 points takes 200 MB
_END_POINTS = 50  # the room for an address
_LINES_OF_A_NODE = 1.5  # with a higher average, nodes are farther apart
_FARTHEST_POINTS, _MOST_AROUND = 160, 40

_Joined = tuple[int, Interface]  # (number of an element, its interface)


@dataclass(frozen=True)
class Placement:
    """The location of each node.

    pnodes    {computer: the name of its pnode}, {} if pnodes are not to be shown
    carriers  {process: its virtual machine, which need not be a computer of the topology}
    """

    pnodes: Mapping[str, str] = field(default_factory=dict)
    carriers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """The options of a picture.

    title      the text below the picture
    addresses  whether to show addresses at the ends; None: if there is room
    program    the layout program; if it draws no boxes, a node's second line shows its location
    apart      whether to remove overlaps of nodes, which takes most of the time for a large picture
    """

    title: str = ""
    addresses: bool | None = None
    program: str = "dot"
    apart: bool = True

    @property
    def boxes(self) -> bool:
        return self.program in DRAW_BOXES


@dataclass(frozen=True)
class Size:
    """The size of a picture: the number of nodes and LANs, of lines, and the level of detail (EVERYTHING, NAMES or NODES)."""

    marks: int
    lines: int
    detail: str


def size_of(topology: Topology) -> Size:
    """Return the size of a topology's picture."""
    members = _members(topology)
    lans = sum(len(joined) != 2 for joined in members.values())
    marks = len(topology.elements) + lans
    lines = sum(1 if len(joined) == 2 else len(joined) for joined in members.values())
    rooms = ((EVERYTHING, _MOST_WITH_EVERYTHING), (NAMES, _MOST_WITH_NAMES))
    detail = next((detail for detail, most in rooms if marks <= most and lines <= 2 * most), NODES)
    return Size(marks, lines, detail)


def dot_text(topology: Topology, wanted: Wanted, placement: Placement, places: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """Return the picture in the language of Graphviz. Equal arguments give equal texts.

    places  {id of a node or line: attributes with its position}, as returned by ``label_places.places``
    """
    return _Picture(topology, wanted, placement, places or {}).text()


def _members(topology: Topology) -> dict[str, list]:
    """Return {substrate: [(number of the element, interface)]} of all elements, including substrates that only an interface names."""
    found: dict[str, list] = {substrate.name: [] for substrate in topology.substrates}
    for number, element in enumerate(topology.elements):
        for interface in element.interfaces:
            for name in interface.substrates:
                found.setdefault(name, []).append((number, interface))
    return found


class _Picture:
    """A picture being written."""

    def __init__(self, topology: Topology, wanted: Wanted, placement: Placement, places: Mapping[str, Mapping[str, str]]):
        self.topology, self.wanted, self.placement, self.places = topology, wanted, placement, places
        self.written = self.boxes = 0  # number of lines and boxes so far
        self.members = _members(topology)
        size = size_of(topology)
        self.detail = size.detail
        self.sparse = max(1.0, sqrt(size.lines / max(1, size.marks) / _LINES_OF_A_NODE))
        self.addresses = self.detail == EVERYTHING if wanted.addresses is None else wanted.addresses
        names = Identifiers()
        self.nodes = [names.of(element.name, getattr(element, "kind", "computer")) for element in topology.elements]
        self.lans = {name: names.of(name, "LAN") for name, joined in self.members.items() if len(joined) != 2}
        self.degrees = [sum(len(interface.substrates) for interface in element.interfaces) for element in topology.elements]

    def text(self) -> str:
        lines = (*self._head(), *self._nodes_in_boxes(), *self._lines())
        return "\n".join([f"graph {quoted(literal(self.wanted.title or 'topology'))} {{", *(f"  {line}" for line in lines), "}"]) + "\n"

    # --- the whole -----------------------------------------------------------------------------

    def _head(self) -> list[str]:
        large = self.detail == NODES
        graph = {
            "label": legend(self.wanted.title, self._styles(), any(map(_is_ghost, self.topology.elements))),
            "labelloc": "b", "fontname": FONTS, "fontcolor": INK, "bgcolor": "white", "pad": "0.3", "outputorder": "edgesfirst", "forcelabels": "true",
            "overlap": self._overlap(), "sep": "+6" if large else "+12", "esep": "+3",
            "K": "0.4" if large else "0.7", "mindist": "0.6", "nodesep": "0.15" if large else "0.4", "ranksep": "0.75",
            "size": f"{_LARGEST_INCHES},{_LARGEST_INCHES}" if large else None,
        }  # fmt: skip
        node = {"fontname": FONTS, "fontsize": "11", "fontcolor": INK, "height": "0.3", "width": "0.3", "margin": "0.09,0.045", "penwidth": "1.4"}
        edge = {"fontname": FONTS, "fontsize": "8", "fontcolor": QUIET, "color": WIRE, "penwidth": "1.1"}
        return [f"{what} {attributes(values)}" for what, values in (("graph", graph), ("node", node), ("edge", edge))]

    def _overlap(self) -> str:
        """Return Graphviz's method to remove overlaps: vpsc preserves the distances between nodes; prism is fast but changes them."""
        if not self.wanted.apart:
            return "true"
        return "vpsc" if self.wanted.program == NEATO and self.detail != NODES else "prism"

    def _styles(self) -> list[Style]:
        """Return the styles used in the picture."""
        found = in_order(style_of(element) for element in self.topology.elements)
        found += [LAN] if self.lans else []
        if self.wanted.boxes:
            found += [PNODE_BOX] if self.placement.pnodes else []
            found += [MACHINE_BOX] if self.placement.carriers else []
        return found

    # --- nodes -----------------------------------------------------------------------------------

    def _nodes_in_boxes(self) -> list[str]:
        """Return the lines of all nodes, in their boxes."""
        if not self.wanted.boxes:
            return [self._node(number) for number in range(len(self.nodes))]
        inside: dict[tuple[str, str], list[str]] = {}
        carriers = set(self.placement.carriers.values())
        for number, element in enumerate(self.topology.elements):
            carrier = self.placement.carriers.get(element.name) or (element.name if element.name in carriers else "")
            pnode = self.placement.pnodes.get(element.name, "") if isinstance(element, Computer) else ""
            inside.setdefault((pnode, carrier if isinstance(element, Computer) else ""), []).append(self._node(number))
        pnodes: dict[str, list[str]] = {pnode: [] for pnode in sorted({pnode for pnode, _carrier in inside})}
        for (pnode, carrier), nodes in inside.items():
            pnodes[pnode] += self._box("machine", carrier, MACHINE_BOX, nodes) if carrier else nodes
        return [line for pnode, nodes in pnodes.items() for line in (self._box("pnode", pnode, PNODE_BOX, nodes) if pnode else nodes)]

    def _box(self, kind: str, name: str, style: Style, content: list[str]) -> list[str]:
        self.boxes += 1
        values = {
            "label": literal(shortened(name)), "tooltip": literal(name), "style": style.style, "color": style.line, "fillcolor": style.fill,
            "fontcolor": QUIET, "fontsize": "10", "labeljust": "l", "labelloc": "t", "margin": "10", **self._id(f"box{self.boxes - 1}"),
        }  # fmt: skip
        return box(f"{kind} {self.boxes}", values, content)

    def _node(self, number: int) -> str:
        element = self.topology.elements[number]
        style, ghost = style_of(element), _is_ghost(element)
        label = [shortened(element.name) or style.word, *self._where(element)]
        values = {
            "label": literal("\n".join(label)),
            "shape": style.shape, "style": f"{style.style},dashed" if ghost else style.style,
            "color": QUIET if ghost else style.line, "fillcolor": "#ffffff" if ghost else style.fill, "fontcolor": QUIET if ghost else None,
            "tooltip": literal(self._account(element, style.word, ghost)),
        }  # fmt: skip
        return statement(self.nodes[number], attributes({**values, **self._id(f"node{number}")}))

    def _where(self, element: Computer | OtherElement) -> list[str]:
        """Return the lines of a node's label about its location, if there are no boxes."""
        if self.wanted.boxes or not isinstance(element, Computer):
            return []
        carrier, pnode = self.placement.carriers.get(element.name), self.placement.pnodes.get(element.name)
        return ([f"in {shortened(carrier)}"] if carrier else []) + ([shortened(pnode)] if pnode else [])

    def _account(self, element: Computer | OtherElement, word: str, ghost: bool) -> str:
        """Return the tooltip of a node."""
        place = [f"in {where}" for where in (self.placement.carriers.get(element.name), self.placement.pnodes.get(element.name)) if where]
        first = ", ".join([f"{element.name}: {word}", *place, *(["not started"] if ghost else [])])
        return "\n".join([first, *(" ".join(filter(None, (*interface.substrates, address(interface)))) for interface in element.interfaces)])

    # --- substrates --------------------------------------------------------------------------------

    def _lines(self) -> Iterator[str]:
        substrates = {substrate.name: substrate for substrate in self.topology.substrates}
        for name, joined in self.members.items():
            pairs = [(self.topology.elements[number], interface) for number, interface in joined]
            shaped = name in substrates
            if len(joined) == 2:
                words = link_words(substrates[name], pairs, self.topology.latency_model) if shaped else []
                yield self._link(name, joined, words)
            else:
                words, own = lan_words(substrates[name], pairs, self.topology.latency_model) if shaped else ([], {})
                yield from self._lan(name, joined, words, own)

    def _link(self, name: str, joined: list[_Joined], words: list[str]) -> str:
        (first, one), (second, other) = joined
        label = {EVERYTHING: [shortened(name), *words], NAMES: [shortened(name)], NODES: []}[self.detail]
        ends = {"taillabel": self._end(one), "headlabel": self._end(other)}
        values = {
            "label": literal("\n".join(label)) if label else None, **ends,
            "tooltip": literal("\n".join([name, *words])), "len": self._room(label, [self.degrees[first], self.degrees[second]]),
        }  # fmt: skip
        return self._line(self.nodes[first], self.nodes[second], values)

    def _lan(self, name: str, joined: list[_Joined], words: list[str], own: dict[int, list[str]]) -> Iterator[str]:
        label = [shortened(name), *(words if self.detail == EVERYTHING else [])]
        values: dict[str, str | None] = {
            "label": literal("\n".join(label)), "shape": LAN.shape, "style": LAN.style if joined else f"{LAN.style},dashed",
            "color": LAN.line, "fillcolor": LAN.fill, "fontcolor": "white", "fontsize": "9", "margin": "0.07,0.03", "height": "0.2",
            "tooltip": literal(f"{name}: {len(joined)} members" + "".join(f", {line}" for line in words)),
        }  # fmt: skip
        yield statement(self.lans[name], attributes({**values, **self._id(f"lan{list(self.lans).index(name)}")}))
        for place, (number, interface) in enumerate(joined):
            lines = own.get(place, []) if self.detail == EVERYTHING else []
            values = {
                "taillabel": self._end(interface), "label": literal("\n".join(lines)) if lines else None,
                "tooltip": literal(" ".join(filter(None, (self.topology.elements[number].name, name, address(interface))))),
                "len": self._room(lines, [self.degrees[number]], len(joined)),
            }  # fmt: skip
            yield self._line(self.nodes[number], self.lans[name], values)

    def _line(self, one: str, other: str, values: dict) -> str:
        self.written += 1
        return statement(one, "--", other, attributes({**values, **self._id(f"line{self.written - 1}")}))

    def _id(self, name: str) -> dict:
        """Return the id of a thing in an SVG, and the attributes with its position if known."""
        return {"id": name, **self.places.get(name, {})}

    def _end(self, interface: Interface) -> str | None:
        return literal(address(interface)) or None if self.addresses else None

    def _room(self, label: list[str], degrees: list[int], members: int = 0) -> str | None:
        """Return the length of a line in inches, from centre to centre; None unless the layout uses it.

        It leaves room for the label and the addresses. Addresses around a node with many lines stand side by side, so they are farther from it.
        """
        if self.detail == NODES or self.wanted.program != NEATO:
            return None
        end = _END_POINTS if self.addresses else 12
        away = max(end, min(max(degrees) * end / (2 * pi), _FARTHEST_POINTS))
        points = 50 + 2 * away + 5 * max(map(len, label), default=0)
        points = max(points, min(members, _MOST_AROUND) * end / (2 * pi)) * self.sparse
        return f"{points / _POINTS_OF_AN_INCH:.2f}"


def _is_ghost(element: Computer | OtherElement) -> bool:
    return isinstance(element, Computer) and is_true(containers_attribute(element, GHOST))
