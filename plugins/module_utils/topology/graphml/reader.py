# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of GraphML, the XML of graphs of NetworkX, yEd, the Internet Topology Zoo and others (http://graphml.graphdrawing.org/).

It uses the same safe XML parser as TopDL. It does not use networkx.read_graphml, which expands entities and has no line numbers.
``keys.py`` interprets the data of nodes and edges. All errors are reported at once; warnings report what was not carried over.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from ...errors import Problem
from ..imports.draft import LABEL, Draft, End, Medium
from ..model import Topology
from ..problem_log import ProblemLog
from ..scope import XmlElement, local_name, shown
from ..xml_source import parse
from .keys import Keys

MAX_BYTES = 32 * 2**20
MOST_ELEMENTS = 600_000
_START_HINT = "a GraphML file begins with <graphml>"


def read_graphml_text(text: bytes, source: str) -> tuple[Topology, tuple[Problem, ...]]:
    """Return (the topology of a GraphML file's content, warnings). Raises InputError with all errors of the file."""
    problems = ProblemLog(source)
    if len(text) > MAX_BYTES:
        problems.error(0, "", f"is larger than {MAX_BYTES // 2**20} MB", "is it a topology?")
        problems.raise_errors()
    root: XmlElement = parse(text, problems, _START_HINT, MOST_ELEMENTS)
    problems.raise_errors()
    graphs = [child for child in root if local_name(child) == "graph"]
    if local_name(root) != "graphml" or not graphs:
        problems.error(root.sourceline or 0, "", f"there is no graph in <{local_name(root)}>", "<graphml><graph>…</graph></graphml>")
        problems.raise_errors()
    for other in graphs[1:]:
        problems.warn("further graphs", other.sourceline or 0, "", "only the first graph of a file is read; this one is left out")
    reading = _Reading(problems, Keys(root, problems))
    topology = reading.topology(graphs[0])
    problems.raise_errors()
    return topology, problems.warnings()


@dataclass(eq=False, slots=True)
class _Edge:
    """An edge, and the opposite edge if the graph is directed."""

    xml: XmlElement
    ends: tuple[str, str]
    directed: bool
    back: _Edge | None = None


@dataclass
class _Found:
    """The elements of a graph and of all graphs in it, in document order."""

    nodes: list = field(default_factory=list)
    edges: list = field(default_factory=list)
    hyperedges: list = field(default_factory=list)
    frames: set = field(default_factory=set)


class _Reading:
    """A graph being read."""

    def __init__(self, problems: ProblemLog, keys: Keys):
        self.problems = problems
        self.keys = keys
        self.draft = Draft(problems)
        self.things: dict = {}

    def topology(self, graph: XmlElement) -> Topology:
        found = _Found()
        self._collect(graph, found, graph.get("edgedefault") == "directed")
        self.draft.refuse_too_many(len(found.nodes) + len(found.edges) + len(found.hyperedges))
        linked = {end for edge, _directed in found.edges for end in (edge.get("source"), edge.get("target"))}
        linked.update(endpoint.get("node") for xml in found.hyperedges for endpoint in _endpoints(xml))
        for xml in found.nodes:
            self._node(xml, xml in found.frames and xml.get("id") not in linked)
        for edge in self._paired([edge for edge in (self._edge(*one) for one in found.edges) if edge]):
            self._link(edge)
        for xml in found.hyperedges:
            self._hyperedge(xml)
        attributes = self.keys.data(graph, "graph").of_graph()
        self.keys.report_kept()
        return self.draft.topology(attributes)

    def _collect(self, graph: XmlElement, found: _Found, directed: bool) -> None:
        for xml in graph:
            kind, line = local_name(xml), xml.sourceline or 0
            if kind == "node":
                found.nodes.append(xml)
            elif kind == "edge":
                found.edges.append((xml, {"true": True, "false": False}.get(xml.get("directed", "").lower(), directed)))
            elif kind == "hyperedge":
                found.hyperedges.append(xml)
            elif kind not in ("data", "desc"):
                self.problems.warn("unknown elements", line, "", f"<{kind}> is not known here and is left out")
            for inner in xml if kind in ("node", "edge", "hyperedge") else ():
                if local_name(inner) == "graph":
                    found.frames.add(xml)
                    self.problems.warn("graphs in graphs", inner.sourceline or 0, f"{kind} {shown(xml.get('id', ''))}", "what is in it is read as if beside it")
                    self._collect(inner, found, inner.get("edgedefault") == "directed")
                elif local_name(inner) == "port":
                    self._without_port(inner, f"{kind} {shown(xml.get('id', ''))}")

    def _without_port(self, xml: XmlElement, label: str) -> None:
        self.problems.warn("ports", xml.sourceline or 0, label, "ports have no place in a topology; every edge has an interface of its own")

    def _node(self, xml: XmlElement, is_frame: bool) -> None:
        line, key = xml.sourceline or 0, xml.get("id")
        if key is None:
            self.problems.error(line, "", "a node without an id", '<node id="…">')
        elif key in self.things:
            self.problems.error(line, f"node {shown(key)}", "this id is taken", f"the first to have it is in line {self.things[key].line}")
        elif is_frame:
            self.problems.warn("frames", line, f"node {shown(key)}", "holds a graph and has no edge; it is taken for a frame and left out")
        else:
            data = self.keys.data(xml, "node")
            label = data.label or key
            if data.is_lan:
                self.things[key] = self.draft.lan(label, line, data.of_substrate())
            else:
                self.things[key] = machine = self.draft.machine(label, line, data.of_node(), data.osid)
                if machine.name != label:
                    machine.attributes.append((LABEL, label))

    def _edge(self, xml: XmlElement, directed: bool) -> _Edge | None:
        line = xml.sourceline or 0
        ends = (xml.get("source"), xml.get("target"))
        for end, name in zip(ends, ("source", "target"), strict=True):
            if end is None:
                self.problems.error(line, "edge", f"has no {name}", '<edge source="…" target="…">')
            elif end not in self.things:
                self.problems.error(line, "edge", f"there is no node {shown(end)}", "every end of an edge is the id of a node")
            if xml.get(f"{name}port") is not None:
                self._without_port(xml, f"edge from {shown(ends[0] or '')} to {shown(ends[1] or '')}")
        if any(end not in self.things for end in ends):
            return None
        return _Edge(xml, ends, directed)

    def _paired(self, edges: list[_Edge]) -> list[_Edge]:
        """Return the edges without the opposite ones, which are set as ``back``. Parallel edges are paired in document order."""
        waiting: dict = defaultdict(deque)
        kept = []
        for edge in edges:
            backward = waiting[edge.ends[::-1]] if edge.directed and edge.ends[0] != edge.ends[1] else None
            if backward:
                backward.popleft().back = edge
                continue
            kept.append(edge)
            if edge.directed:
                waiting[edge.ends].append(edge)
        for edge in kept:
            if edge.directed and edge.back is None and edge.ends[0] != edge.ends[1]:
                label = f"edge from {shown(edge.ends[0])} to {shown(edge.ends[1])}"
                self.problems.warn("edges in one direction", edge.xml.sourceline or 0, label, "there is none back; the link is the same in both directions")
        return kept

    def _link(self, edge: _Edge) -> None:
        data = self.keys.data(edge.xml, "edge")
        there, attributes, ends = data.profile, data.of_substrate(), data.ends()
        back = there
        if edge.back is not None:
            of_back = self.keys.data(edge.back.xml, "edge")
            back = of_back.profile
            attributes = [*attributes, *of_back.of_substrate()]
            other = of_back.ends()
            ends = (_joined(ends[0], other[1]), _joined(ends[1], other[0]))
        first, second = (self.things[end] for end in edge.ends)
        self.draft.link(data.label, edge.xml.sourceline or 0, first, second, there, back, attributes, ends)

    def _hyperedge(self, xml: XmlElement) -> None:
        """Add a hyperedge as a LAN; TopDL supports these, the graphs of NetworkX do not."""
        line, data, members = xml.sourceline or 0, self.keys.data(xml, "edge"), []
        for endpoint in _endpoints(xml):
            name = endpoint.get("node")
            thing = self.things.get(name)
            if thing is None or isinstance(thing, Medium):
                what = "there is no node" if thing is None else "a LAN cannot be on a LAN:"
                self.problems.error(endpoint.sourceline or line, "hyperedge", f"{what} {shown(name or '')}", '<endpoint node="…"/> with the id of a node')
            else:
                members.append(thing)
            if endpoint.get("port") is not None:
                self._without_port(endpoint, "hyperedge")
        lan = self.draft.lan(data.label, line, data.of_substrate())
        self.problems.warn("hyperedges", line, "hyperedge", f"becomes the LAN {lan.name}")
        for machine in members:
            self.draft.member(lan, machine, data.profile, line)


def _endpoints(xml: XmlElement) -> list:
    return [child for child in xml if local_name(child) == "endpoint"]


def _joined(one: End, more: End) -> End:
    """Return the combined properties of one end of two edges; the first edge's name takes precedence."""
    return End(one.name or more.name, (*one.attributes, *more.attributes))
