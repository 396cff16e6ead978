# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of what benito-host does to a machine, on a machine of their own: a child process with new network, mount and UTS
namespaces, in which /run and /var are empty. Everything it makes goes with it.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import syscalls
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.hostplan import to_json

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")


def sandboxed(test):
    """Run the test in a sandbox; what it raises fails the test with the whole traceback as text."""

    @needs_root
    @functools.wraps(test)
    def wrapper(*args, **kwargs):
        error = in_sandbox(lambda: test(*args, **kwargs))
        if error:
            pytest.fail(error, pytrace=False)

    return wrapper


def in_sandbox(body) -> str:
    """The traceback of ``body()`` run in a sandbox, "" when it ended well."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            _isolate()
            body()
            code = 0
        except BaseException:
            os.write(writer, traceback.format_exc().encode()[-60000:])
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode(errors="replace")
    _pid, status = os.waitpid(pid, 0)
    return text or (f"the sandbox ended with {status}" if status else "")


def _isolate() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("sysfs", "/sys", "sysfs")
    for path in ("/run", "/var"):
        syscalls.mount("tmpfs", path, "tmpfs", 0, "mode=0755")


def install_plan(plan) -> ExperimentPaths:
    """The plan where the host has it, as the role puts it there."""
    paths = ExperimentPaths(plan.experiment)
    os.makedirs(paths.directory, mode=0o700, exist_ok=True)
    with open(paths.plan, "w", encoding="utf-8") as stream:
        stream.write(to_json(plan))
    return paths


def in_processes(count, body):
    """Exit statuses of ``body(number)`` run in that many processes at the same time: 0 well, 1 HostError, 2 anything else."""
    ready, go = os.pipe()
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 2
            try:
                os.close(go)
                os.read(ready, 1)
                code = 0 if body(number) else 1
            except HostError:
                code = 1
            finally:
                os._exit(code)
        children.append(pid)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
