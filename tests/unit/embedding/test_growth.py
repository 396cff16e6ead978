# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning grows no faster than n log n. Calls are counted, not seconds: their number is the same at every run and on every machine."""

from __future__ import annotations

import math
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare
from ansible_collections.deter.benito.tests.bench import _shapes

SMALL, LARGE = 60, 240
SHAPES = (_shapes.random_tree, _shapes.lans_in_a_tree, _shapes.preferential_attachment, _shapes.one_lan)


def calls_of(work) -> int:
    """How many functions, Python's and C's, ``work`` calls."""
    count = 0

    def tick(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def partitioned(text: str, packing: int = 10) -> str:
    """The topology with partitions, so that the solver, which spends its time as it likes, has nothing to do."""
    parts = text.split("</computer>")
    attribute = "<attribute><attribute>containers:partition</attribute><value>{}</value></attribute></computer>"
    return "".join(part + attribute.format(place // packing) for place, part in enumerate(parts[:-1])) + parts[-1]


@pytest.mark.parametrize(("profile", "kind"), [("default", "openvz"), ("hierarchical", "process")])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_planning_without_routes_grows_no_faster_than_n_log_n(tmp_path, shape, profile, kind):
    def creating(count):
        source = tmp_path / f"{count}.xml"
        source.write_text(partitioned(_shapes.topdl(shape(count), kind=kind, rtproto="Manual")))
        request = Request("P", f"e{count}", str(source), home=str(tmp_path), settings={"address_profile": profile, "image": False})
        return lambda: prepare(request)

    creating(10)()  # what is made once is made now
    small, large = calls_of(creating(SMALL)), calls_of(creating(LARGE))
    assert large / small < 1.1 * LARGE * math.log(LARGE) / (SMALL * math.log(SMALL))
