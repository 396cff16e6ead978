# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a machine says that it has: files as kernels write them, and a control group of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.pool import memory

NO_LIMIT = "9223372036854771712"
V1, V2 = "4:memory:{}\n1:name=systemd:/\n0::/x\n", "0::{}\n"
INSIDE = "import sys; sys.path.insert(0, sys.argv[1]); import memory; print(memory.memory_mb())"


@pytest.fixture(name="machine")
def fixture_machine(tmp_path):
    """``machine(version, group, files, top="/")``: MiB that a machine of 8 GiB offers whose init is in ``group``; files: {path below the mount: text}."""

    def make(version, group, files, top="/"):
        mount = tmp_path / "cgroup"
        for path, text in files.items():
            (mount / path).parent.mkdir(parents=True, exist_ok=True)
            (mount / path).write_text(text)
        for directory in ("1", "self"):
            (tmp_path / directory).mkdir()
        (tmp_path / "meminfo").write_text("MemTotal:        8388608 kB\nMemFree:         1000 kB\n")
        (tmp_path / "1" / "cgroup").write_text((V1 if version == 1 else V2).format(group))
        kind = "cgroup cgroup rw,memory" if version == 1 else "cgroup2 cgroup rw"
        (tmp_path / "self" / "mountinfo").write_text(f"20 1 0:5 / / rw - ext4 /dev/vda rw\n31 23 0:28 {top} {mount} rw,nosuid shared:9 - {kind}\n")
        return memory.memory_mb(str(tmp_path))

    return make


@pytest.mark.parametrize(("version", "group", "files", "top", "expected"), [
    (2, "/init.scope", {"init.scope/memory.max": "max\n"}, "/", 8192),
    (2, "/init.scope", {"init.scope/memory.max": "max\n", "memory.max": f"{1 << 30}\n"}, "/", 1024),
    (2, "/lxc/one/init.scope", {"lxc/one/memory.max": f"{3 << 30}\n", "lxc/memory.max": f"{2 << 30}\n"}, "/", 2048),
    (2, "/docker/7f/init.scope", {"memory.max": f"{5 << 30}\n"}, "/docker/7f", 5120),
    (2, "/../..", {"memory.max": f"{2 << 30}\n"}, "/", 2048),
    (2, "/", {"memory.max": f"{64 << 30}\n"}, "/", 8192),
    (1, "/", {"memory.limit_in_bytes": f"{NO_LIMIT}\n", "memory.stat": f"cache 1\nhierarchical_memory_limit {NO_LIMIT}\n"}, "/", 8192),
    (1, "/lxc/one", {"lxc/one/memory.limit_in_bytes": f"{1 << 30}\n"}, "/", 1024),
    (1, "/", {"memory.limit_in_bytes": f"{NO_LIMIT}\n", "memory.stat": f"cache 1\nhierarchical_memory_limit {6 << 30}\n"}, "/", 6144),
])
def test_a_container_has_no_more_than_the_least_limit_above_its_init(machine, version, group, files, top, expected):
    assert machine(version, group, files, top) == expected


def test_a_machine_that_cannot_tell_says_nothing(tmp_path):
    assert memory.memory_mb(str(tmp_path)) == 0


@pytest.fixture(name="group")
def fixture_group():
    """A control group of this machine that may have 300 MiB, and one below it."""
    v1 = Path("/sys/fs/cgroup/memory")
    top = (v1 if v1.is_dir() else Path("/sys/fs/cgroup")) / f"benito-test-{uuid.uuid4().hex[:8]}"
    below = top / "below"
    limit = top / ("memory.limit_in_bytes" if v1.is_dir() else "memory.max")
    try:
        below.mkdir(parents=True)
        if not limit.exists():
            pytest.skip("this machine hands out no control groups with memory")
        limit.write_text(str(300 << 20))
        yield below
    except OSError as exc:
        pytest.skip(f"this machine hands out no control groups: {exc}")
    finally:
        for directory in (below, top):
            if directory.exists():
                directory.rmdir()


def test_a_real_control_group_with_a_limit_is_seen_from_inside(group):
    command = [sys.executable, "-c", INSIDE, os.path.dirname(memory.__file__)]
    script = f"echo $$ > {group}/cgroup.procs && exec unshare -m -p -f --mount-proc \"$@\""
    done = subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, text=True, check=False)
    assert done.stdout == "300\n", done.stderr
