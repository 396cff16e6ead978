# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of lines get places that avoid nodes and other texts. test_rendering.py checks that nothing overlaps in real pictures."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.topology.drawing.label_places import places


def node(name, x, y):
    return {"_gvid": 0, "id": name, "pos": f"{x},{y}", "width": "0.5", "height": "0.3"}


def line(name, first, last, **texts):
    """Return a straight line between two points."""
    (ax, ay), (bx, by) = first, last
    thirds = [(ax + (bx - ax) * part / 3, ay + (by - ay) * part / 3) for part in range(4)]
    return {"id": name, "pos": " ".join(f"{x},{y}" for x, y in thirds), **texts}


def at(found, name, attribute):
    return tuple(map(float, found[name][attribute].split(",")))


def test_text_is_beside_the_middle_of_its_line_and_addresses_are_beside_the_ends():
    told = {"objects": [node("a", 0, 0), node("b", 200, 0)], "edges": [line("l", (18, 0), (182, 0), label="link0", taillabel="10.0.0.1", headlabel="10.0.0.2")]}
    found = places(told)
    middle, tail, head = (at(found, "l", attribute) for attribute in ("lp", "tail_lp", "head_lp"))
    assert abs(middle[0] - 100) < 20 and 4 < abs(middle[1]) < 12
    assert 18 < tail[0] < 70 and 130 < head[0] < 182
    assert min(abs(tail[1]), abs(head[1])) > 4


def test_text_with_a_place_keeps_it():
    box = {"id": "b", "bb": "0,0,50,40", "lp": "20,35", "lwidth": "0.4", "lheight": "0.2"}
    told = {"objects": [node("a", 1, 2), box], "edges": [line("l", (0, 0), (9, 0))]}
    found = places(told)
    assert found["a"] == {"pos": "1,2"}
    assert found["b"] == {"bb": "0,0,50,40", "lp": "20,35"}
    assert found["l"] == {"pos": told["edges"][0]["pos"]}


def test_text_moves_away_from_nodes_and_other_texts():
    crowd = [line(f"l{number}", (0, 0), (400, number), label="a name") for number in range(5)]
    found = places({"objects": [node("n", 200, 8)], "edges": crowd})
    middles = [at(found, f"l{number}", "lp") for number in range(5)]
    assert all(abs(x - 200) > 18 or abs(y - 8) > 10 for x, y in middles)
    assert all(abs(a[0] - b[0]) > 20 or abs(a[1] - b[1]) > 8 for place, a in enumerate(middles) for b in middles[:place])


def test_lines_without_length_or_texts_are_accepted():
    found = places({"objects": [], "edges": [line("l", (5, 5), (5, 5), label="x"), line("m", (0, 0), (9, 9), label="")]})
    assert max(abs(number - 5) for number in at(found, "l", "lp")) < 15
    assert "lp" not in found["m"]


def test_nodes_and_lines_without_positions_give_no_places():
    assert places({"objects": [{"id": "a"}], "edges": []}) == {}
    assert places({"objects": [node("a", 0, 0)], "edges": [{"id": "l", "label": "x"}]}) == {}
    assert places({}) == {}
