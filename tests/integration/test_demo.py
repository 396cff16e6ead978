# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo and make demo-clean, as a new user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from machine_state import SHARED_MACHINE, difference, snapshot
from support import ROOT


def test_demo_shows_the_experiment_and_leaves_the_machine_as_it_was(tmp_path, run):
    environment = {**os.environ, "BENITO_DEMO_HOME": str(tmp_path / "demo")}
    before = snapshot()
    try:
        shown = run("make", "demo", env=environment)
    finally:
        removed = run("make", "demo-clean", env=environment)
    for bot in ("bot-1", "bot-2", "bot-3"):
        assert f"<{bot}> {bot} to target: 3 received" in shown
    assert "3 packets transmitted, 3 received" in shown
    assert "Demo/catch" in removed
    assert not (tmp_path / "demo").exists()
    time.sleep(2)
    assert not difference(before, snapshot(), SHARED_MACHINE)


def test_demo_clean_reports_that_there_is_no_demo(tmp_path, run):
    assert "There is no demo to remove" in run("make", "demo-clean", env={**os.environ, "BENITO_DEMO_HOME": str(tmp_path / "demo")})


def test_demo_that_stops_says_how_to_go_on(tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copytree(ROOT / "examples" / "january-2011-demo", tmp_path / "examples" / "january-2011-demo")
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "ansible-playbook").write_text("#!/bin/sh\nexit 4\n")
    (tools / "ansible-playbook").chmod(0o755)
    done = subprocess.run(["scripts/demo"], cwd=tmp_path, env={**os.environ, "BENITO_DEMO_HOME": str(tmp_path / "demo")}, capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode == 4
    assert "To go on where it stopped, run: make demo" in done.stderr
