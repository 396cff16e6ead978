# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any file of any format, however mutilated, is read or refused with line numbers, within 10 s and 500 MB, without a traceback."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.deter.benito.tests.unit.topology.ns.test_properties import WHOLE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
FILES = {
    "lab.xml": (ROOT / "tests" / "unit" / "topology" / "data" / "everything.xml").read_bytes(),
    "lab.tcl": WHOLE.encode(),
    "lab.graphml": (ROOT / "examples" / "imports" / "campus.graphml").read_bytes(),
    "lab.clab.yml": (ROOT / "examples" / "imports" / "routers.clab.yml").read_bytes(),
}
BITS = [
    b"", b"\0", b"\xff", b"\n", b"\t", b" ", b"<", b">", b"&", b"&amp;", b"&x;", b"&#7;", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?x?>", b"<!DOCTYPE x>",
    b"</a>", b"<a>", b'"', b"'", b"{", b"}", b"[", b"]", b"$", b"\\", b"*a", b"&a ", b"- ", b": ", b"<<: ", b"!!str ", b"---\n", b"|\n", b"# ", b"-1", b"1e999",
    b"nan", b"9" * 400, b"x" * 70000, "é京\u2028\ufeff".encode(), b"true",
]  # fmt: skip
ENOUGH = 60  # seconds by the clock, on a machine that may be busy; what is measured is the processor's time


class Child:
    """The process that reads files. It is restarted after it was killed."""

    def __init__(self):
        self.process = None

    def read(self, name, text):
        if self.process is None:
            environment = {**os.environ, "PYTHONPATH": str(ROOT / ".ansible" / "collections")}
            command = [sys.executable, str(Path(__file__).with_name("reading_child.py"))]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.process.stdin.write(json.dumps({"name": name, "size": len(text)}).encode() + b"\n" + text)
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            line = self.process.stdout.readline() if selector.select(ENOUGH) else b""
        if not line:
            self.end()
            pytest.fail(f"no answer about {name}")
        return json.loads(line)

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


@pytest.fixture(name="child", scope="module")
def fixture_child():
    child = Child()
    yield child
    child.end()


@st.composite
def mutilated(draw, whole):
    """Draw a truncated or changed file: bytes replaced, parts removed, doubled, moved or repeated many times, odd text inserted."""
    text = whole
    for _time in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 2, 8, 40, 200, 1000])))
        how = draw(st.sampled_from(["put in", "put in", "take out", "double", "repeat", "move", "cut off", "change", "swap"]))
        part = text[start:end]
        if how == "put in":
            text = text[:start] + draw(st.sampled_from(BITS) | st.binary(max_size=6)) + text[end if draw(st.booleans()) else start :]
        elif how == "take out":
            text = text[:start] + text[end:]
        elif how == "double":
            text = text[:end] + part + text[end:]
        elif how == "repeat":
            text = text[:end] + part * min(300, 200_000 // max(1, len(part))) + text[end:]
        elif how == "move":
            place = draw(st.integers(0, len(text)))
            text = (text[:start] + text[end:])[:place] + part + (text[:start] + text[end:])[place:]
        elif how == "cut off":
            text = text[:start] if draw(st.booleans()) else text[start:]
        elif how == "change" and part:
            text = text[:start] + bytes([part[0] ^ (1 << draw(st.integers(0, 7)))]) + text[start + 1 :]
        elif how == "swap":
            text = text.replace(draw(st.sampled_from(WORDS_OF[whole])), draw(st.sampled_from(WORDS_OF[whole])), draw(st.sampled_from([1, 3, -1])))
    return text


def words_of(text):
    return sorted({word for word in re.split(rb'[\s<>"]+', text) if 0 < len(word) < 30})


WORDS_OF = {text: words_of(text) for text in FILES.values()}


@pytest.mark.parametrize(("name", "examples"), [("lab.xml", 500), ("lab.tcl", 100), ("lab.graphml", 600), ("lab.clab.yml", 600)])
def test_mutilated_file_is_read_or_refused_in_bounded_time_and_memory(child, name, examples):
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(mutilated(FILES[name]))
    def check(text):
        result = child.read(name, text)
        assert "traceback" not in result, result["traceback"]
        assert result["seconds"] < 10 and result["megabytes"] < 500
        assert result["said"] or result["read"]
        assert all(one.startswith((f"{name}:", "computer ", "substrate ")) and one.isprintable() for one in result["said"]), result["said"]

    check()


def test_unchanged_files_are_read(child):
    assert all(child.read(name, text)["read"] for name, text in FILES.items())
