# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of any size for benchmarks: of each node the substrates it is on, and all of it as TopDL."""

from __future__ import annotations

import random
from xml.sax.saxutils import escape

Nodes = list[list[str]]
LANS = 100
HOSTS_OF_A_LAN = 19


def one_lan(count: int) -> Nodes:
    """Every node on one LAN."""
    return [["lan"] for _node in range(count)]


def lans_on_a_backbone(count: int) -> Nodes:
    """LANS LANs; the first node of each is a router to a backbone."""
    return [[f"lan{node % LANS}", *(["core"] if node < LANS else [])] for node in range(count)]


def binary_tree(count: int) -> Nodes:
    """A link from each node to its parent."""
    return _linked(count, [((node - 1) // 2, node) for node in range(1, count)])


def random_tree(count: int) -> Nodes:
    """A link from each node to one of those before it."""
    choice = random.Random(1)
    return _linked(count, [(choice.randrange(node), node) for node in range(1, count)])


def lans_in_a_tree(count: int) -> Nodes:
    """LANs of a router and HOSTS_OF_A_LAN hosts; each router has a link to one of those before it."""
    choice = random.Random(1)
    routers = -(-count // (HOSTS_OF_A_LAN + 1))
    nodes: Nodes = [[f"lan{router}"] for router in range(routers)]
    for router in range(1, routers):
        for end in (choice.randrange(router), router):
            nodes[end].append(f"link{router}")
    return nodes + [[f"lan{host % routers}"] for host in range(count - routers)]


def preferential_attachment(count: int, links: int = 2) -> Nodes:
    """From each node so many links to earlier ones, chosen by how many links they have (Barabási and Albert)."""
    choice = random.Random(1)
    pairs = []
    ends = list(range(links))  # every node as often as it has links
    for node in range(links, count):
        others: dict[int, None] = {}
        while len(others) < min(links, node):
            others[choice.choice(ends)] = None
        pairs += [(other, node) for other in others]
        ends += [*others, *[node] * len(others)]
    return _linked(count, pairs)


def _linked(count: int, pairs: list[tuple[int, int]]) -> Nodes:
    nodes: Nodes = [[] for _node in range(count)]
    for number, pair in enumerate(pairs, 1):
        for end in pair:
            nodes[end].append(f"link{number}")
    return nodes


def topdl(nodes: Nodes, startup: str = "", kind: str = "", **root: str) -> str:
    """The network as a TopDL file.

    startup  start command of every node
    kind     container kind of every node, "" for none
    root     ``containers:`` attributes of the whole
    """
    substrates = dict.fromkeys(name for node in nodes for name in node)
    lines = ["<experiment><version>1.0</version>", *(f"<substrates><name>{name}</name></substrates>" for name in substrates)]
    of_node = (_attribute("startup", startup) if startup else "") + (_attribute("containers:node_type", kind) if kind else "")
    for number, node in enumerate(nodes):
        interfaces = "".join(f"<interface><substrate>{name}</substrate><name>inf{port:03}</name></interface>" for port, name in enumerate(node))
        lines.append(f"<elements><computer><name>n{number}</name>{interfaces}{of_node}</computer></elements>")
    lines += [_attribute(f"containers:{name}", value) for name, value in root.items()]
    return "\n".join([*lines, "</experiment>"])


def _attribute(name: str, value: str) -> str:
    return f"<attribute><attribute>{escape(name)}</attribute><value>{escape(value)}</value></attribute>"
