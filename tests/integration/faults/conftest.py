# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide three pnodes whose disk is a file system of its own and of bounded size, so that it can be filled."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import support

DISK_MB = 6144


@pytest.fixture(scope="session", name="disk")
def fixture_disk(tmp_path_factory):
    """Return the mount point of a file system in a sparse file. It is unmounted afterwards."""
    file, disk = tmp_path_factory.mktemp("disk") / "disk", tmp_path_factory.mktemp("home")
    with open(file, "wb") as stream:
        stream.truncate(DISK_MB << 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(file)], check=True)
    subprocess.run(["mount", "-o", "loop", str(file), str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        file.unlink()


@pytest.fixture(scope="session", name="pool")
def fixture_pool(disk, tmp_path_factory):
    """Return (playbook, home, testbed). The pnodes and the experiment directories are on ``disk``, the caches are not."""
    cache = support.ROOT / ".cache"
    (disk / "cache").mkdir()
    (cache / "images").mkdir(parents=True, exist_ok=True)
    (disk / "cache" / "images").symlink_to(cache / "images")
    playbook = support.Runner(disk, tmp_path_factory.mktemp("faults-runner"))
    settings = {"testbed": "faults", "pnodes": 3, "local_testbed_cache": str(cache / "testbed")}
    try:
        playbook("local_testbed", **settings)
        yield playbook, disk, support.Testbed(disk / "inventory" / "local_testbed_faults.yml")
    finally:
        playbook("local_testbed", **settings, state="down")


class Table(list):
    """Lines about the moments. Each goes to the file that BENITO_FAULTS_TABLE names as it comes, so that a run that is ended early has told of its moments."""

    HEAD = f"{'moment':>6}  {'run':<14}{'fault':<26}{'pnode':<11}{'at':>6}  {'what':<34}{'ended':<10}{'rerun':<12}{'left':<6}"

    def append(self, line):
        super().append(line)
        if os.environ.get("BENITO_FAULTS_TABLE"):
            Path(os.environ["BENITO_FAULTS_TABLE"]).write_text("\n".join([self.HEAD, *self, ""]), encoding="utf-8")


@pytest.fixture(scope="session", name="table")
def fixture_table():
    """Return a Table. It is printed at the end."""
    lines = Table()
    yield lines
    print("\n" + "\n".join([Table.HEAD, *lines]))
