# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a partitioning when Mt-KaHyPar dies: of a signal, of want of time, or of an error. A module of its name stands in for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.growing import grown
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.hypergraph import connectivity
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning.packing import pack, split
from ansible_collections.deter.benito.tests.unit.embedding.partitioning.test_packing import hypergraphs, sizes, unweighted
from hypothesis import given, settings
from hypothesis import strategies as st

PROGRAM = """
import json, sys
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed
from ansible_collections.deter.benito.plugins.module_utils.embedding.partitioning import solver
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings
from ansible_collections.deter.benito.tests.unit.embedding.vtopo import vtopo
assert "mtkahypar" not in sys.modules
solver._LIMIT_S = float(sys.argv[1])
made = embed(vtopo({f"l{number}": f"n{number} n{(number + 1) % 40}" for number in range(40)}), EmbeddingSettings(packing=6, seed=5, passes="original"))
print(json.dumps({"warnings": [str(problem) for problem in made.warnings if "mtkahypar" in str(problem)], "machines": [len(machine.all_nodes) for machine in made.machines]}))
"""
FAILED = ["the reason"]


def embedded(tmp_path, library: str | None, limit_s=60.0, python=(sys.executable,)) -> dict:
    """Embed forty nodes in another process, in which ``library`` is the text of the module mtkahypar."""
    path = list(filter(None, sys.path))
    if library is not None:
        (tmp_path / "mtkahypar.py").write_text(library)
        path.insert(0, str(tmp_path))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run([*python, "-c", PROGRAM, str(limit_s)], capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("library", "limit_s", "reason"), [
    ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", 60, "signal 4 (Illegal instruction): this machine's processor lacks instructions"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 60, "signal 9 (Killed): probably for want of memory"),
    ("import os; os.abort()", 60, "signal 6 (Aborted)"),
    ("import os; os._exit(3)", 60, "exit status 3"),
    ("raise ImportError('libhwloc.so.15: cannot open shared object file')", 60, "ImportError: libhwloc.so.15: cannot open shared object file"),
    ("raise MemoryError", 60, "MemoryError"),
    ("while True: pass", -3, "took longer than"),
    ("print('noise', flush=True)", 60, "AttributeError"),
], ids=["SIGILL", "SIGKILL", "abort", "exit", "missing library", "memory", "time", "another library"])
def test_where_the_library_fails_a_simpler_method_partitions_with_one_warning(tmp_path, library, limit_s, reason):
    made = embedded(tmp_path, library, limit_s)
    assert [reason in warning and "a simpler method chose the partitions" in warning for warning in made["warnings"]] == [True], made
    assert len(made["machines"]) == 7 and max(made["machines"]) <= 6
    assert made == embedded(tmp_path, library, limit_s), "the same input and seed give the same parts"


def test_a_library_that_works_is_loaded_in_no_process_of_ours(tmp_path):
    assert embedded(tmp_path, None)["warnings"] == []


@pytest.mark.skipif(not os.path.exists("/usr/bin/qemu-x86_64"), reason="needs the program of Debian's package qemu-user")
def test_the_real_library_dies_of_an_old_processor_and_the_run_goes_on(tmp_path):
    python = ("/usr/bin/qemu-x86_64", "-cpu", "qemu64", os.path.realpath(sys.executable))
    assert "Illegal instruction" in embedded(tmp_path, None, python=python)["warnings"][0]


@settings(max_examples=30, deadline=None)
@given(hypergraphs(), st.integers(1, 45), st.integers(0, 1000))
def test_without_the_library_every_bound_holds(hypergraph, packing, seed):
    blocks = pack(hypergraph, packing, seed, FAILED)
    assert len(sizes(blocks)) == -(-hypergraph.vertices // packing)
    assert max(sizes(blocks), default=0) <= packing
    assert blocks == pack(hypergraph, packing, seed, FAILED)
    even = split(hypergraph, packing, seed, FAILED)
    assert len(sizes(even)) == min(packing, hypergraph.vertices)
    assert max(sizes(even), default=0) - min(sizes(even), default=0) <= 1


def test_without_the_library_clusters_are_still_told_apart():
    lans = [(0, *range(1 + 20 * lan, 21 + 20 * lan)) for lan in range(3)]
    assert connectivity(unweighted(61, *lans), pack(unweighted(61, *lans), 21, 0, FAILED)) <= 3
    ring = [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (4, 5), (5, 6), (6, 7), (4, 7)]
    assert pack(unweighted(8, *ring), 4, 0, FAILED) == [0, 0, 0, 0, 1, 1, 1, 1]


def test_growing_takes_no_time_for_a_large_lan():
    blocks = grown(unweighted(10_000, range(10_000), (0, 9_999)), [1000] * 10, 0)
    assert set(sizes(blocks)) == {1000}
    assert blocks[0] == blocks[9_999]
