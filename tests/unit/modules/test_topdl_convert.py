# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module topdl_convert, in this process and in its playbook, as a user sees it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import read_topology
from ansible_collections.deter.benito.plugins.modules import containerize, topdl_convert
from ansible_collections.deter.benito.tests.unit.topology.ns.networks import members_of, whole_ways

ROOT = Path(__file__).parents[3]
CAMPUS = str(ROOT / "examples" / "imports" / "campus.graphml")


def run(module=topdl_convert, check=False, **options):
    """Run the module and return (whether it failed, its result)."""
    out = io.StringIO()
    arguments = {"_ansible_check_mode": check, "_ansible_diff": True, **options}
    with patch_module_args(arguments), contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
        module.main()
    return caught.value.code != 0, json.loads(out.getvalue())


@pytest.fixture(name="work", autouse=True)
def fixture_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENITO_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("suffix", ["xml", "tcl", "ns", "graphml"])
def test_topology_stays_the_same_in_every_output_format(work, suffix):
    failed, result = run(topology=CAMPUS, out=f"campus.{suffix}")
    assert not failed and result["changed"] and result["msg"] == f"{work}/campus.{suffix}: 3 nodes, 2 links and LANs"
    before, after = (read_topology(str(path))[0] for path in (CAMPUS, work / f"campus.{suffix}"))
    assert whole_ways(after) == whole_ways(before) and members_of(after) == members_of(before)
    assert stat.S_IMODE(os.stat(f"campus.{suffix}").st_mode) == 0o666 & ~_umask()


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_conversion_writes_only_changes_and_replaces_files_only_on_request(work):
    (work / "there.xml").write_text("mine\n")
    (work / "there.xml").chmod(0o640)
    failed, result = run(topology=CAMPUS, out="there.xml")
    assert failed and result["msg"] == "there.xml exists and has other content; it was left untouched (force=true replaces it)"
    assert (work / "there.xml").read_text() == "mine\n"
    assert run(topology=CAMPUS, out="there.xml", force=True)[1]["changed"]
    assert stat.S_IMODE(os.stat("there.xml").st_mode) == 0o640
    assert not run(topology=CAMPUS, out="there.xml")[1]["changed"]


def test_check_mode_reports_changes_and_writes_nothing(work):
    failed, result = run(topology=CAMPUS, out="new.xml", check=True)
    assert not failed and result["changed"] and not (work / "new.xml").exists()
    assert result["diff"]["before"] == "" and "<name>library</name>" in result["diff"]["after"]


def test_partitioned_topology_of_an_experiment_is_converted(work):
    failed, _result = run(containerize, pid="P", eid="e", topology=CAMPUS, packing=2)
    assert not failed
    assert not run(pid="P", eid="e", out="e.xml")[0]
    assert (work / "e.xml").read_bytes() == (work / "home/proj/P/exp/e/partitioned.xml").read_bytes()
    assert not run(pid="P", eid="e", out="e.tcl")[0]
    assert "tb-add-node-attribute $Zurich-Core" not in (work / "e.tcl").read_text(), "a name with a hyphen is a variable in braces"
    assert members_of(read_topology(str(work / "e.tcl"))[0]) == members_of(read_topology(CAMPUS)[0])


def test_content_that_the_output_cannot_express_gives_a_warning(work, capsys):
    (work / "lab.xml").write_text("<experiment><elements><computer><name>a</name><cpu/></computer></elements></experiment>")
    _failed, result = run(topology="lab.xml", out="lab.tcl")
    shown = json.dumps(result.get("warnings")) + capsys.readouterr().err  # where Ansible's plugins are loaded in this process, it prints them at once
    assert "its <cpu> has no place in an NS file" in shown


REFUSED = {
    "nothing to read": ({"out": "a.xml"}, "give either a topology file, or pid and eid"),
    "two things to read": ({"out": "a.xml", "topology": CAMPUS, "pid": "P", "eid": "e"}, "give either a topology file, or pid and eid"),
    "half an experiment": ({"out": "a.xml", "pid": "P"}, "an experiment has both a pid and an eid"),
    "no such experiment": ({"out": "a.xml", "pid": "P", "eid": "e"}, "experiment P/e does not exist"),
    "no such file": ({"out": "a.xml", "topology": "none.xml"}, "none.xml: cannot be read: No such file"),
    "a format that is not written": ({"out": "a.clab.yml", "topology": CAMPUS}, "a.clab.yml: is no name of a topology that is written (one that ends"),
    "no suffix": ({"out": "lab", "topology": CAMPUS}, "lab: is no name of a topology that is written (one that ends with .xml or .topdl for TopDL; .tcl"),
    "no such folder": ({"out": "x/a.xml", "topology": CAMPUS}, "x/a.xml cannot be written: there is no folder"),
    "a device": ({"out": "dev.xml", "topology": CAMPUS}, "dev.xml is not a regular file"),
    "names that NS has not": ({"out": "a.tcl", "topology": "odd.xml"}, "'a_b' is no name in an NS file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_conversion_is_refused_and_writes_nothing(work, case):
    (work / "dev.xml").symlink_to("/dev/null")
    (work / "odd.xml").write_text("<experiment><elements><computer><name>a_b</name></computer></elements></experiment>")
    options, expected = REFUSED[case]
    failed, result = run(**options)
    assert failed and expected in result["msg"]
    assert sorted(os.listdir(work)) == ["dev.xml", "odd.xml"]


def test_playbook_takes_paths_relative_to_the_current_folder(work):
    shutil.copy(CAMPUS, work / "campus.graphml")
    playbook = [sys.executable, "-m", "ansible", "playbook", str(ROOT / "playbooks" / "convert.yml"), "-i", "localhost,"]
    command = [*playbook, "-e", "topology=campus.graphml", "-e", "out=campus.tcl"]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{work}/campus.tcl: 3 nodes, 2 links and LANs" in done.stdout
    assert "set library [$ns node]" in (work / "campus.tcl").read_text()
