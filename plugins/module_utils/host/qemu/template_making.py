# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a warm template: boot a guest without network card and identity, wait until it is idle, save its memory, devices and disk.

It is made in a directory of its own, which is then renamed. The next run removes what an interrupted run has left.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

from ...clean_text import clean_line, clean_text
from ...errors import HostError
from ..base import syscalls
from ..base.os_errors import why
from .command import Hardware, MachinePaths, bare_command, memory_args
from .disk import make_disk
from .logs import console_end
from .qmp import Qmp
from .sandbox import confine_template
from .seed import seed_tar, template_files
from .templates import MAKING, TEMPLATES, is_there, keep, making_lock, shrink, template_fingerprint
from .user_ids import template_user_id

STATE_LIMIT_S = 60.0
# QEMU loses PR_SET_PDEATHSIG when it changes its user. A shell that is init of a PID namespace keeps it, and its end kills QEMU.
_TOGETHER = ("unshare", "--pid", "--fork", "--kill-child", "--", "sh", "-c", '"$@"; exit $?', "sh")
X_IGNORE_SHARED = {"capability": "x-ignore-shared", "state": True}


def make_template(hardware: Hardware, key: str, limit_s: float, cache_mb: int, go_on: Callable[[], None]) -> bool:
    """Make the template ``key`` if it is missing. Return whether it was missing.

    limit_s   timeout of the guest's boot, seconds
    cache_mb  MiB that all templates of this host may take; the least recently used ones are removed
    go_on     called regularly; its exception cancels the work
    Raises HostError, with the end of the guest's console when it does not boot.
    """
    with making_lock(key, go_on):
        if is_there(key):
            return False
        making, began = f"{TEMPLATES}/{MAKING}{key}", time.monotonic()
        shutil.rmtree(making, ignore_errors=True)
        try:
            os.makedirs(making, mode=0o700)
            _boot_and_save(hardware, making, limit_s, go_on)
            keep(key, template_fingerprint(hardware), making, time.monotonic() - began)
        except OSError as exc:
            raise HostError(f"template {key} cannot be made: {why(exc, TEMPLATES)}") from exc
        finally:
            shutil.rmtree(making, ignore_errors=True)
    shrink(cache_mb)
    return True


def sweep(dry_run: bool = False) -> list[str]:
    """Remove what interrupted runs have left of templates, unless a process is making them now. Return the changes as text."""
    changes = []
    for name in os.listdir(TEMPLATES) if os.path.isdir(TEMPLATES) else ():
        if name.startswith(MAKING):
            try:
                with making_lock(name[len(MAKING):], _do_not_wait):
                    if not dry_run:
                        shutil.rmtree(f"{TEMPLATES}/{name}", ignore_errors=True)
                    changes.append(f"unfinished template {name[len(MAKING):]}: removed")
            except _BeingMadeError:
                pass
    return changes


class _BeingMadeError(HostError):
    """Another process is making the template."""


def _do_not_wait() -> None:
    raise _BeingMadeError


def _boot_and_save(hardware: Hardware, making: str, limit_s: float, go_on: Callable[[], None]) -> None:
    where = MachinePaths(making, making)
    for path in (where.console, where.report):
        os.mkdir(os.path.dirname(path), 0o700)
    with open(f"{making}/seed.tar", "wb") as stream:
        stream.write(seed_tar(template_files()))
    with open(f"{making}/memory", "wb") as stream:
        stream.truncate(hardware.memory_mb << 20)
    make_disk(hardware.image, hardware.disk_mb, f"{making}/disk.qcow2")
    command = bare_command(hardware, "template", template_user_id(making, go_on), where) + memory_args(hardware, f"{making}/memory", shared=True)
    with open(f"{making}/errors", "wb") as errors, subprocess.Popen(
            [*_TOGETHER, *command], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, preexec_fn=_confine) as qemu:  # no threads
        try:
            _wait_until_ready(qemu, where, limit_s, go_on)
            with Qmp(f"{making}/qmp") as qmp, open(f"{making}/state", "wb") as state:
                qmp.execute("stop")
                qmp.execute("migrate-set-capabilities", capabilities=[X_IGNORE_SHARED])
                qmp.execute("getfd", descriptor=state.fileno(), fdname="state")
                qmp.execute("migrate", uri="fd:state")
                qmp.migrated(STATE_LIMIT_S)
                qmp.execute("quit")
            qemu.wait(STATE_LIMIT_S)
        except subprocess.TimeoutExpired as exc:
            raise HostError(f"the template's QEMU did not end within {STATE_LIMIT_S:.0f} s") from exc
        except HostError as exc:
            raise HostError(f"{exc}{_errors(where)}") from exc
        finally:
            if qemu.poll() is None:
                qemu.send_signal(signal.SIGKILL)


def _confine() -> None:
    syscalls.end_with_parent()
    confine_template()


def _wait_until_ready(qemu: subprocess.Popen, where: MachinePaths, limit_s: float, go_on: Callable[[], None]) -> None:
    deadline = time.monotonic() + limit_s
    while True:
        try:
            with open(where.report, encoding="ascii", errors="replace") as stream:
                text = stream.read(2000)
            if text == "ready\n":
                return
            if text:
                raise HostError(f"the template's guest reports: {clean_line(text)}")
        except FileNotFoundError:
            pass
        if qemu.poll() is not None:
            raise HostError(f"the template's QEMU ended with exit status {qemu.returncode}")
        if time.monotonic() > deadline:
            raise HostError(f"the template's guest was not ready within {limit_s:.0f} s; the end of its console:\n{console_end(where)}")
        go_on()
        time.sleep(0.1)


def _errors(where: MachinePaths) -> str:
    """Return QEMU's own error messages, after a colon."""
    with open(f"{where.directory}/errors", encoding="utf-8", errors="replace") as stream:
        text = clean_text(stream.read(2000)).strip()
    return f": {text}" if text else ""
