# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Graphviz as the reader of what we write: its own parser's account of a text, and the texts and places of an SVG."""

from __future__ import annotations

import json
import subprocess

from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"


class Parsed:
    """What Graphviz understood of a text.

    nodes  {identifier: its attributes}
    lines  [(tail's identifier, head's identifier, attributes)]
    boxes  {label: identifiers of the nodes in it, also in boxes within}
    """

    def __init__(self, text: str):
        self.told = told(text)
        things = self.told.get("objects", [])
        named = {thing["_gvid"]: thing["name"] for thing in things}
        self.nodes = {thing["name"]: thing for thing in things if "nodes" not in thing and "subgraphs" not in thing and "label" in thing}
        self.lines = [(named[edge["tail"]], named[edge["head"]], edge) for edge in self.told.get("edges", [])]
        self.boxes = {thing["label"]: sorted(named[node] for node in thing["nodes"]) for thing in things if "nodes" in thing}


def told(text: str) -> dict:
    done = subprocess.run(["dot", "-Tdot_json"], input=text.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return json.loads(done.stdout)


def texts_of(svg: bytes) -> list[str]:
    """Every text of a well-formed SVG, in order."""
    return ["".join(text.itertext()) for text in etree.fromstring(svg).iter(f"{SVG}text")]


def titles_of(svg: bytes) -> list[str]:
    return [title.text or "" for title in etree.fromstring(svg).iter(f"{SVG}title")]


def classes_of(svg: bytes) -> list[str]:
    """``node``, ``edge`` and ``cluster`` for each that was drawn."""
    return [group.get("class") for group in etree.fromstring(svg).iter(f"{SVG}g")]
