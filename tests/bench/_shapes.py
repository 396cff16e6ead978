# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make networks of any size for benchmarks: a list of the substrates of each node, and TopDL of it."""

from __future__ import annotations

import random
from xml.sax.saxutils import escape

Nodes = list[list[str]]
LANS = 100
HOSTS_OF_A_LAN = 19


def one_lan(count: int) -> Nodes:
    """Return a network with every node on one LAN."""
    return [["lan"] for _node in range(count)]


def lans_on_a_backbone(count: int) -> Nodes:
    """Return a network of LANS LANs. The first node of each LAN is a router on a backbone."""
    return [[f"lan{node % LANS}", *(["core"] if node < LANS else [])] for node in range(count)]


def binary_tree(count: int) -> Nodes:
    """Return a binary tree: each node has a link to its parent."""
    return _linked(count, [((node - 1) // 2, node) for node in range(1, count)])


def random_tree(count: int) -> Nodes:
    """Return a random tree: each node has a link to an earlier node."""
    choice = random.Random(1)
    return _linked(count, [(choice.randrange(node), node) for node in range(1, count)])


def lans_in_a_tree(count: int) -> Nodes:
    """Return LANs of one router and HOSTS_OF_A_LAN hosts. Each router has a link to an earlier router."""
    choice = random.Random(1)
    routers = -(-count // (HOSTS_OF_A_LAN + 1))
    nodes: Nodes = [[f"lan{router}"] for router in range(routers)]
    for router in range(1, routers):
        for end in (choice.randrange(router), router):
            nodes[end].append(f"link{router}")
    return nodes + [[f"lan{host % routers}"] for host in range(count - routers)]


def preferential_attachment(count: int, links: int = 2) -> Nodes:
    """Return a preferential-attachment graph (Barabási and Albert): each node has ``links`` links to earlier nodes, chosen by their degree."""
    choice = random.Random(1)
    pairs = []
    ends = list(range(links))  # each node once per link
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
    """Return the network as the text of a TopDL file.

    startup  start command of every node
    kind     container kind of every node, "" for none
    root     ``containers:`` attributes of the experiment
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
