# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image playbook as users run it. Tests of what it draws and refuses are in tests/unit/modules/test_topdl_image.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import support

QUICKSTART = str(support.ROOT / "examples" / "quickstart" / "quickstart.xml")


def test_experiment_has_a_picture_and_the_playbook_draws_another(playbook, benito_home, eid, tmp_path):
    playbook("containerize", pid="Test", eid=eid, topology=QUICKSTART, packing=4)
    folder = benito_home / "proj" / "Test" / "exp" / eid
    assert "10.0.0.1" in (folder / "visualization.svg").read_text()
    assert (folder / "visualization.png").read_bytes().startswith(b"\x89PNG")
    out = tmp_path / "picture.svg"
    would = playbook("image", check=True, experiment=f"Test/{eid}", out=str(out), partitions="true")
    assert "would be drawn by dot" in would.stdout
    assert not out.exists()
    playbook("image", pid="Test", eid=eid, out=str(out), partitions="true")
    assert "pnode&#45;0001" in out.read_text()
    again = playbook("image", pid="Test", eid=eid, out=str(out), partitions="true")
    assert again.stats["changed"] == {}
    playbook("terminate", pid="Test", eid=eid)


def test_topology_is_drawn_into_the_current_folder(playbook, tmp_path):
    (tmp_path / "lab.xml").write_text(Path(QUICKSTART).read_text())
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "deter.benito.image", "-e", "topology=lab.xml", "-e", "out=lab.pdf"]
    done = subprocess.run(command, cwd=tmp_path, env=playbook.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "lab.pdf").read_bytes().startswith(b"%PDF")


def test_nothing_to_draw_is_one_failure_that_names_the_variables(playbook):
    run = playbook("image", fails=True)
    assert len(run.failures) == 1
    assert "-e experiment=PROJECT/EXPERIMENT" in run.failures[0]
