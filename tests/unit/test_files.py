# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are replaced whole, and the lock that runs on one machine exclude each other by."""

from __future__ import annotations

import fcntl
import os
import stat
import threading

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError, HostError
from ansible_collections.deter.benito.plugins.module_utils.file_lock import take_lock
from ansible_collections.deter.benito.plugins.module_utils.files import locked, private_directory, replace_file, write_text


def test_a_lock_that_is_held_is_reported_with_its_holder(tmp_path):
    path = str(tmp_path / "bed.lock")
    with locked(path, "local testbed x"), pytest.raises(HostError, match=f"local testbed x is locked by process {os.getpid()} on .* since"):
        with locked(path, "local testbed x"):
            pass


def test_a_lock_that_was_just_taken_is_reported_with_its_holder_too(tmp_path):
    path = tmp_path / "lock"
    descriptor = take_lock(str(path))  # who it is comes a moment later

    def write():
        path.write_text("process 7 on there")

    writer = threading.Timer(0.2, write)
    writer.start()
    try:
        with pytest.raises(HostError, match="the thing is locked by process 7 on there"), locked(str(path), "the thing"):
            pass
    finally:
        writer.join()
        os.close(descriptor)


def test_a_lock_whose_file_is_removed_by_its_holder_still_excludes(tmp_path):
    path, held, most = str(tmp_path / "bed.lock"), [], []

    def work():
        for _round in range(20):
            with locked(path, "it", limit_s=30, remove_if=lambda: True):
                held.append(1)
                most.append(len(held))
                held.pop()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert not os.path.exists(path)


def test_a_file_is_written_whole_and_never_readable_by_more_than_it_should(tmp_path):
    path = tmp_path / "a" / "key"
    write_text(str(path), "secret", 0o600)
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path / "a") == ["key"]


def test_the_caller_says_whose_fault_a_held_lock_is(tmp_path):
    with locked(str(tmp_path / "lock"), "it"), pytest.raises(ExperimentError, match="it is locked by"), locked(str(tmp_path / "lock"), "it", ExperimentError):
        pass


def test_a_lock_on_a_file_that_has_lost_its_name_is_no_lock(tmp_path, monkeypatch):
    path, flock = str(tmp_path / "lock"), fcntl.flock

    def removed_in_between(descriptor, operation):
        os.unlink(path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_in_between)
    assert take_lock(path) is None
    monkeypatch.undo()
    descriptor = take_lock(path)
    with pytest.raises(BlockingIOError):
        take_lock(path)
    os.close(descriptor)


@pytest.mark.parametrize("replace", [lambda path: replace_file(path, b"new\xff"), lambda path: write_text(path, "new")])
def test_where_a_file_cannot_be_replaced_the_old_content_stands_and_nothing_is_left(tmp_path, replace, monkeypatch):
    (tmp_path / "file").write_text("old")

    def refused(*_names):
        raise OSError("refused")

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(OSError, match="refused"):
        replace(str(tmp_path / "file"))
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "old"


def test_a_private_directory_is_closed_to_others_and_its_parents_stay_as_they_are(tmp_path):
    os.chmod(tmp_path, 0o755)
    private_directory(str(tmp_path / "a" / "b"))
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")] == [0o755, 0o700, 0o700]
    (tmp_path / "old").mkdir()
    os.chmod(tmp_path / "old", 0o2775)
    private_directory(str(tmp_path / "old"))
    assert stat.S_IMODE(os.stat(tmp_path / "old").st_mode) & 0o777 == 0o700
