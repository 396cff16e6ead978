# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse dot text with Graphviz, and extract texts and positions from an SVG."""

from __future__ import annotations

import json
import re
import subprocess

from lxml import etree

SVG = "{http://www.w3.org/2000/svg}"


class Parsed:
    """A dot text as parsed by Graphviz.

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
    """Return all texts of a well-formed SVG, in order."""
    return ["".join(text.itertext()) for text in etree.fromstring(svg).iter(f"{SVG}text")]


def titles_of(svg: bytes) -> list[str]:
    return [title.text or "" for title in etree.fromstring(svg).iter(f"{SVG}title")]


def classes_of(svg: bytes) -> list[str]:
    """Return the class of everything drawn: ``node``, ``edge`` or ``cluster``."""
    return [group.get("class") for group in etree.fromstring(svg).iter(f"{SVG}g")]


class Box:
    """A rectangle of a picture with its content."""

    def __init__(self, what: str, left: float, top: float, right: float, bottom: float):
        self.what, self.left, self.top, self.right, self.bottom = what, left, top, right, bottom

    def __repr__(self):
        return f"{self.what} at {self.left:.0f} {self.top:.0f} to {self.right:.0f} {self.bottom:.0f}"

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def over(self, other: Box, slack: float = 1) -> bool:
        """Return whether the two overlap by more than ``slack`` points in both directions."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        return wide > slack and min(self.bottom, other.bottom) - max(self.top, other.top) > slack


def overlaps_of(svg: bytes) -> list[tuple[Box, Box]]:
    """Return the overlapping pairs: two nodes, a text of a line and a node, or two such texts."""
    root = etree.fromstring(svg)
    things = nodes_of(root) + line_texts_of(root)
    return [(one, other) for place, one in enumerate(things) for other in things[place + 1 :] if one.over(other)]


def nodes_of(root) -> list[Box]:
    """Return the boxes of nodes and LANs."""
    return [Box(_title(group), *_around(group)) for group in root.iter(f"{SVG}g") if group.get("class") == "node"]


def line_texts_of(root) -> list[Box]:
    """Return the boxes of texts beside lines."""
    return [_text_box(text) for group in root.iter(f"{SVG}g") if group.get("class") == "edge" for text in group.iter(f"{SVG}text")]


def _title(group) -> str:
    return group.find(f"{SVG}title").text or ""


def _around(group):
    """Return the rectangle around a node's shape."""
    across, down = [], []
    for shape in group.iter(f"{SVG}ellipse", f"{SVG}polygon", f"{SVG}path"):
        if shape.tag == f"{SVG}ellipse":
            x, y, wide, high = (float(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
            across += [x - wide, x + wide]
            down += [y - high, y + high]
        else:
            numbers = [float(number) for number in re.findall(r"-?[0-9.]+", shape.get("points") or shape.get("d"))]
            across += numbers[::2]
            down += numbers[1::2]
    return min(across), min(down), max(across), max(down)


def _text_box(text) -> Box:
    """Return the rectangle of a text, from its anchor on the base line. Characters are about 0.63 of the font size wide."""
    x, y, size, words = float(text.get("x")), float(text.get("y")), float(text.get("font-size")), "".join(text.itertext())
    wide = size * sum(0.33 if one in " .,:'il" else 0.63 for one in words)
    left = {"middle": x - wide / 2, "start": x, "end": x - wide}[text.get("text-anchor")]
    return Box(words, left, y - 0.8 * size, left + wide, y + 0.15 * size)
