# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read GraphML and containerlab files in tests, and extract parts of the topology."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.containerlab.reader import read_containerlab_text
from ansible_collections.deter.benito.plugins.module_utils.topology.graphml.reader import read_graphml_text

KEYS = """<key id="kind" for="node" attr.name="kind"/><key id="label" for="all" attr.name="label"/><key id="cmd" for="node" attr.name="start_command"/>
<key id="bw" for="edge" attr.name="bandwidth"/><key id="ms" for="edge" attr.name="delay"/><key id="loss" for="edge" attr.name="loss"/>
<key id="x" for="all" attr.name="x"/>"""
FIRST = KEYS.count("\n") + 3  # the line of a graph's first element


def graph(body, default="undirected"):
    return f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{KEYS}\n<graph edgedefault="{default}">\n{body}\n</graph></graphml>'


def data(key, text):
    return f'<data key="{key}">{text}</data>'


def node(key, inner=""):
    return f'<node id="{key}">{inner}</node>'


def edge(source, target, inner="", more=""):
    return f'<edge source="{source}" target="{target}"{more}>{inner}</edge>'


TWO = node("a") + "\n" + node("b") + "\n"


def of_graph(body, default="undirected"):
    """Return (topology, warnings as texts) of a graph with this body."""
    topology, warnings = read_graphml_text(graph(body, default).encode(), "lab.graphml")
    return topology, [str(warning) for warning in warnings]


def lab(nodes, links="", more=""):
    """Return a containerlab file with these lines below ``nodes:`` and ``links:``."""
    indented = "".join(f"    {line}\n" for line in nodes.splitlines())
    return f"name: lab\ntopology:\n{more}  nodes:\n{indented}" + ("  links:\n" + "".join(f"    {line}\n" for line in links.splitlines()) if links else "")


def of_lab(nodes, links="", more=""):
    """Return (topology, warnings as texts) of a containerlab file."""
    topology, warnings = read_containerlab_text(lab(nodes, links, more).encode(), "lab.clab.yml")
    return topology, [str(warning) for warning in warnings]


def errors_of(read, *arguments):
    """Return the errors as texts."""
    try:
        read(*arguments)
    except InputError as exc:
        return [str(problem) for problem in exc.problems]
    return []


def the_node(topology, name):
    (found,) = [computer for computer in topology.computers if computer.name == name]
    return found


def attributes(thing):
    return {attribute.name: attribute.value for attribute in thing.attributes}
