# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Placement of the labels of lines, after the layout of nodes, so that labels avoid nodes and each other where there is room.

Graphviz itself only avoids nodes, and ignores crowded lines. Here each label is tried at several positions along its line, on both sides, and
gets the best one. When all labels have a position, each is tried once more. Lengths are in points; up is positive.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from math import hypot
from typing import NamedTuple

_CELL = 48
_STEPS = 12  # half the number of points checked on each curve of a line
_EDGE_STEP = 5
_SIZE = 8
_GAP = 2.0
_OVER, _CROSSING, _ON_ITS_LINE, _FAR, _OFF_THE_MIDDLE = 100.0, 6.0, 4.0, 0.12, 0.15
_PASSES = 2


class _Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def over(self, other: _Box) -> bool:
        return self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top


class _Text(NamedTuple):
    """A label of a line: the line's id, the attribute for its position, its size, and the candidate positions (x, y, cost)."""

    line: str
    attribute: str
    wide: float
    high: float
    tried: list[tuple[float, float, float]]

    def at(self, x: float, y: float) -> _Box:
        return _Box(x - self.wide / 2 - _GAP / 2, y - self.high / 2, x + self.wide / 2 + _GAP / 2, y + self.high / 2)


class _Map:
    """A spatial index of the boxes of nodes and labels, and of the points of lines, by square cells."""

    def __init__(self) -> None:
        self.boxes: dict[tuple[int, int], list[_Box]] = defaultdict(list)
        self.points: dict[tuple[int, int], list[tuple[float, float, str]]] = defaultdict(list)

    @staticmethod
    def _cells(box: _Box) -> Iterator[tuple[int, int]]:
        for across in range(int(box.left // _CELL), int(box.right // _CELL) + 1):
            for up in range(int(box.bottom // _CELL), int(box.top // _CELL) + 1):
                yield across, up

    def add(self, box: _Box) -> None:
        for cell in self._cells(box):
            self.boxes[cell].append(box)

    def remove(self, box: _Box) -> None:
        for cell in self._cells(box):
            self.boxes[cell].remove(box)

    def add_line(self, line: str, path: list[tuple[float, float]]) -> None:
        for x, y in path:
            self.points[int(x // _CELL), int(y // _CELL)].append((x, y, line))

    def cost(self, box: _Box, line: str) -> float:
        """Return the cost of a label of ``line`` at ``box``: its overlaps with boxes and lines."""
        under: set[_Box] = set()
        crossed: set[str] = set()
        for cell in self._cells(box):
            under.update(other for other in self.boxes[cell] if box.over(other))
            crossed.update(other for x, y, other in self.points[cell] if box.left < x < box.right and box.bottom < y < box.top)
        return _OVER * len(under) + sum(_ON_ITS_LINE if other == line else _CROSSING for other in crossed)


def places(told: dict) -> dict[str, dict[str, str]]:
    """Return {id: attributes with the position of the thing for ``neato -n2``, and of a line's labels}.

    told  Graphviz's description of the picture (``-Tjson0``); each node and line in it has an ``id``
    Returns {} if a node or line in it has no position or id.
    """
    things, lines = told.get("objects", []), told.get("edges", [])
    boxes = [thing for thing in things if "bb" in thing]
    nodes = [thing for thing in things if "bb" not in thing]
    if not all("pos" in thing and "id" in thing for thing in (*nodes, *lines)):
        return {}
    found = {thing["id"]: {"pos": thing["pos"]} for thing in (*nodes, *lines)}
    found.update((box["id"], {name: box[name] for name in ("bb", "lp") if name in box}) for box in boxes)
    where = _Map()
    for node in nodes:
        where.add(_around(node["pos"], node["width"], node["height"]))
    for box in boxes:
        where.add(_around(box["lp"], box["lwidth"], box["lheight"]))
        where.add_line(box["id"], _edge(box["bb"]))
    texts: list[_Text] = []
    for line in lines:
        path = _path(line["pos"])
        where.add_line(line["id"], path)
        texts += _texts(line, path)
    chosen: dict[int, _Box] = {}
    for _pass in range(_PASSES):
        for number, text in enumerate(texts):
            if number in chosen:
                where.remove(chosen[number])
            x, y, _cost = min(text.tried, key=partial(_cost_there, where, text))
            chosen[number] = text.at(x, y)
            where.add(chosen[number])
            found[text.line][text.attribute] = f"{x:.2f},{y:.2f}"
    return found


def _cost_there(where: _Map, text: _Text, tried: tuple[float, float, float]) -> float:
    """Return the total cost of a label at a candidate position: that of the position and that of its overlaps."""
    return tried[2] + where.cost(text.at(tried[0], tried[1]), text.line)


def _around(middle: str, wide: str, high: str) -> _Box:
    """Return the box around a node or a title; sizes are in inches."""
    x, y = map(float, middle.split(","))
    half, up = float(wide) * 36 + _GAP, float(high) * 36 + _GAP / 2
    return _Box(x - half, y - up, x + half, y + up)


def _edge(corners: str) -> list[tuple[float, float]]:
    """Return points along the edge of a box, given two opposite corners."""
    left, bottom, right, top = map(float, corners.split(","))
    across = [left + step for step in range(0, int(right - left), _EDGE_STEP)]
    up = [bottom + step for step in range(0, int(top - bottom), _EDGE_STEP)]
    return [point for x in across for point in ((x, bottom), (x, top))] + [point for y in up for point in ((left, y), (right, y))]


def _path(text: str) -> list[tuple[float, float]]:
    """Return points along a line, which consists of one or more cubic curves."""
    corners = [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.replace(";", " ").split())]
    points = [corners[0]]
    for at in range(0, len(corners) - 3, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners[at : at + 4]
        for step in range(1, _STEPS * 2 + 1):
            t = step / (_STEPS * 2)
            a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
            points.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    return points


def _texts(line: dict, path: list[tuple[float, float]]) -> list[_Text]:
    """Return the labels of a line with their candidate positions."""
    length = sum(hypot(after[0] - before[0], after[1] - before[1]) for before, after in zip(path, path[1:]))
    found = []
    for attribute, place, way in (("taillabel", "tail_lp", path), ("headlabel", "head_lp", path[::-1]), ("label", "lp", path)):
        rows = [row for row in line.get(attribute, "").split("\\n") if row]
        if not rows:
            continue
        wide, high = max(map(_width, rows)), len(rows) * _SIZE * 1.2
        if attribute == "label":
            stops = [(length * (0.5 + part / 40), abs(part) / 40 * length * _OFF_THE_MIDDLE) for part in range(-8, 9, 2)]
        else:
            stops = [(away, away * _FAR) for away in range(8, max(9, int(min(length * 0.45, 150))), 8)]
        tried = [(x, y, cost) for stop, cost in stops for x, y in _beside(way, stop, wide, high)]
        found.append(_Text(line["id"], place, wide, high, tried))
    return found


def _width(row: str) -> float:
    """Return the approximate width of a row: most characters are 0.65 of the font size wide, narrow ones 0.33."""
    return _SIZE * sum(0.33 if one in " .,:'il" else 0.65 for one in row)


def _beside(path: list[tuple[float, float]], stop: float, wide: float, high: float) -> list[tuple[float, float]]:
    """Return the positions on both sides of a line, and on it, ``stop`` points along it."""
    gone = 0.0
    for (ax, ay), (bx, by) in zip(path, path[1:]):
        step = hypot(bx - ax, by - ay)
        if step and gone + step >= stop:
            break
        gone += step
    if not step:
        return [(ax, ay)]
    part = min(1.0, max(0.0, (stop - gone) / step))
    x, y, across, up = ax + (bx - ax) * part, ay + (by - ay) * part, -(by - ay) / step, (bx - ax) / step
    off = abs(across) * wide / 2 + abs(up) * high / 2 + _GAP
    return [(x + across * off, y + up * off), (x - across * off, y - up * off), (x, y)]
