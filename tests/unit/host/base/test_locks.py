# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locks on a vhost: who has one is alone, who waits too long is told for what, and no file stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import paths as place_module
from ansible_collections.deter.benito.plugins.module_utils.host.base.locks import experiment_lock, machine_lock, removal_blocked, removal_lock
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import RUN_ROOT, ExperimentPaths
from ansible_collections.deter.benito.tests.unit.host.sandbox import in_processes, sandboxed


@sandboxed
def test_who_waits_is_told_what_is_busy_and_gets_it_afterwards():
    paths = ExperimentPaths("Proj.exp")
    with experiment_lock(paths):
        with pytest.raises(HostError, match="another benito-host has been changing Proj.exp on this host for 0 s"), experiment_lock(paths, 0):
            pass
        with experiment_lock(ExperimentPaths("Proj.other"), 0), machine_lock(0):
            pass
    with experiment_lock(paths, 0):
        pass


@sandboxed
def test_twenty_at_the_same_time_are_one_after_another_and_leave_no_file():
    counter = Path("/var/benito-counter")
    counter.write_text("0")

    def count(_number):
        for _round in range(10):
            with machine_lock():
                counter.write_text(str(int(counter.read_text()) + 1))
        return True

    assert in_processes(20, count) == [0] * 20
    assert counter.read_text() == "200"
    assert not os.path.exists(RUN_ROOT)


@sandboxed
def test_a_lock_leaves_what_else_is_in_its_folder():
    os.makedirs(ExperimentPaths("Proj.exp").run)
    with experiment_lock(ExperimentPaths("Proj.exp")), machine_lock():
        pass
    assert os.listdir(f"{RUN_ROOT}/exp") == ["Proj.exp"]


@sandboxed
def test_who_takes_an_experiment_away_sends_others_away_and_leaves_no_file():
    paths = ExperimentPaths("Proj.exp")
    with removal_lock(paths):
        with pytest.raises(HostError, match="^Proj.exp is being removed from this host$"), removal_blocked(paths):
            pass
        with removal_blocked(ExperimentPaths("Proj.other")), \
                pytest.raises(HostError, match="removing Proj.exp from this host for 0 s"), removal_lock(paths, 0):
            pass
    with removal_blocked(paths), removal_blocked(paths):
        with pytest.raises(HostError, match="removing Proj.exp"), removal_lock(paths, 0):
            pass
    with removal_lock(paths, 0):
        pass
    assert not os.path.exists(RUN_ROOT)


@sandboxed
def test_many_who_stay_for_moments_do_not_keep_anybody_from_leaving():
    paths, done = ExperimentPaths("Proj.exp"), Path("/var/benito-done")

    def stay_or_leave(number):
        if number == 0:
            with removal_lock(paths, 10):
                pass
            done.touch()
            return True
        while not done.exists():
            try:
                with removal_blocked(paths):
                    pass
            except HostError:
                pass
        return True

    assert in_processes(5, stay_or_leave) == [0] * 5
    assert not os.path.exists(RUN_ROOT)


def test_whoever_needs_it_first_also_the_root_of_a_container_gets_through_the_folder_of_what_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(place_module, "RUN_ROOT", str(tmp_path / "run"))
    before = os.umask(0o077)
    try:
        place_module.make_run_root()
        assert os.stat(tmp_path / "run").st_mode & 0o777 == 0o755
        os.chmod(tmp_path / "run", 0o700)
        place_module.make_run_root()
        assert os.stat(tmp_path / "run").st_mode & 0o777 == 0o755
    finally:
        os.umask(before)
