# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of an experiment: the file events.jsonl in its directory, which every run appends to and everybody may read.

Each line is a JSON object: n, time, event, run, by, and the fields of its kind. docs/events.md lists the kinds.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import pwd
import socket
import stat
import time
from collections.abc import Iterator
from typing import Any

from ..clean_text import clean_text
from ..files import write_text
from .locks import Holder

FILE = "events.jsonl"
STATE, RUN_BEGAN, RUN_ENDED = "state", "run_began", "run_ended"
PHASE_BEGAN, PHASE_PROGRESS, PHASE_ENDED, TASK_FAILED = "phase_began", "phase_progress", "phase_ended", "task_failed"
SUCCESSFUL, UNSUCCESSFUL, INTERRUPTED, RUNNING = "successful", "failed", "interrupted", "running"
TERMINATED = "terminated"
"""The state in the last event of an experiment. The file goes with the directory."""

MOST_BYTES = 8 * 2**20
_LINES, _WIDTH = 40, 400  # of a text
_LAST_BYTES = 2**17  # longer than any line
_LOCK_LIMIT_S, _LOCK_POLL_S, _READ_POLL_S = 2.0, 0.01, 0.2


def run_of(holder: Holder) -> str:
    """Return the name of a playbook run. Its tasks and its callback come to the same name, because they have the same holder."""
    return f"{holder.host}-{holder.process}-{holder.started}"


def event(kind: str, holder: Holder | None = None, **fields: Any) -> dict[str, Any]:
    """Return an event that happens now. Texts are cleaned and cut.

    holder  the playbook run, by default the one that this process belongs to
    """
    stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": stamp, "event": kind, "run": run_of(holder or Holder.of_playbook()), "by": f"{_user()}@{socket.gethostname()}", **_cleaned(fields)}


def state_event(state: str, reason: str = "") -> dict[str, Any]:
    """Return the event of an experiment's new state. ``reason``: why it failed."""
    return event(STATE, state=state, reason=reason) if reason else event(STATE, state=state)


def boot_id() -> str:
    """Return the identifier of this machine's boot, "" where the kernel does not tell."""
    with contextlib.suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as handle:
        return handle.read().strip()
    return ""


def text_of(*events: dict[str, Any], after: int = 0) -> str:
    """Return events as lines of the file. ``after``: the number of the event before them."""
    return "".join(json.dumps({"n": after + place, **found}, separators=(",", ":")) + "\n" for place, found in enumerate(events, 1))


def append(directory: str, *events: dict[str, Any]) -> bool:
    """Append events to the file of an experiment, each with the next number. Return whether they were written.

    directory  the experiment's directory; without it nothing is written
    A run goes on without its events, so no error is raised. A file beyond MOST_BYTES is cut to its newest half.
    """
    try:
        with _locked(os.path.join(directory, FILE)) as descriptor:
            size = os.fstat(descriptor).st_size
            number, whole = _end_of(descriptor, size)
            data = ("" if whole else "\n") + text_of(*events, after=number)
            os.write(descriptor, data.encode())
            if size + len(data) > MOST_BYTES:
                _cut(os.path.join(directory, FILE), descriptor)
    except OSError:
        return False
    return True


def read(directory: str, after: int = 0) -> list[dict[str, Any]]:
    """Return the events of an experiment whose number is greater than ``after``, in order. Return [] when there are none."""
    with EventReader(directory, after) as reader:
        return reader.poll()


def follow(directory: str, after: int = 0) -> Iterator[dict[str, Any] | None]:
    """Yield the events of an experiment, and then each new one as it comes. Yield None each time that there is no more yet.

    It ends when the experiment has been removed. The caller may end it at any time.
    """
    with EventReader(directory, after) as reader:
        while True:
            there = reader.exists()
            found = reader.poll()
            yield from found
            if not found:
                if not there:
                    return
                yield None
                time.sleep(_READ_POLL_S)


class EventReader:
    """Reads events as they are appended, also while the file is cut or the experiment is removed and created again.

    directory  the experiment's directory
    after      number of the last event that is known already
    """

    def __init__(self, directory: str, after: int = 0):
        self._directory, self._path, self._last = directory, os.path.join(directory, FILE), after
        self._file, self._rest, self._replaced = -1, b"", False

    def __enter__(self) -> EventReader:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._close()

    def exists(self) -> bool:
        """Return whether the experiment exists."""
        return os.path.isdir(self._directory)

    def poll(self) -> list[dict[str, Any]]:
        """Return the events since the last call. Lines that are no events are left out."""
        found = list(self._new_events())
        if self._file >= 0 and not self._is_current():
            self._close()
            self._replaced = True
        if self._file < 0:
            with contextlib.suppress(OSError):
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                found += self._new_events(may_restart=self._replaced)
        return found

    def _new_events(self, may_restart: bool = False) -> Iterator[dict[str, Any]]:
        if self._file < 0:
            return
        while data := os.read(self._file, 2**20):
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            found = _parsed(line)
            if found and may_restart and found["n"] == 1:
                self._last = 0  # the experiment was removed and created again
            may_restart = may_restart and not found
            if found and found["n"] > self._last:
                self._last = found["n"]
                yield found

    def _is_current(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except OSError:
            return False

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._rest = -1, b""


@contextlib.contextmanager
def _locked(path: str) -> Iterator[int]:
    """Hold the lock of the events file for the block. Yield its descriptor. Raises OSError, also when the lock cannot be had."""
    deadline = time.monotonic() + _LOCK_LIMIT_S
    while True:
        descriptor = _opened(path)
        try:
            if _take(descriptor, path, deadline):
                yield descriptor
                return
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a process that was forked meanwhile has the descriptor, too
            os.close(descriptor)


def _opened(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not os.fstat(descriptor).st_size:
        with contextlib.suppress(OSError):  # another user's
            os.fchmod(descriptor, _mode_beside(path))
    return descriptor


def _take(descriptor: int, path: str, deadline: float) -> bool:
    """Take the lock. Return whether the locked file still has the name ``path``. Raises OSError when another process keeps the lock."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(descriptor), os.stat(path))
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOCK_POLL_S)


def _mode_beside(path: str) -> int:
    """Return the mode of a file for those who may enter its folder."""
    return stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o660 | 0o600


def _end_of(descriptor: int, size: int) -> tuple[int, bool]:
    """Return the number of the last event of the file, and whether its last line is complete."""
    data = os.pread(descriptor, _LAST_BYTES, max(0, size - _LAST_BYTES))
    for line in reversed(data.split(b"\n")):
        if found := _parsed(line):
            return found["n"], data.endswith(b"\n")
    return 0, not data or data.endswith(b"\n")


def _cut(path: str, descriptor: int) -> None:
    """Replace the file by its newest half. The caller holds its lock: whoever waits for that finds the new file then."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, size, size - MOST_BYTES // 2)
    write_text(path, data[data.index(b"\n") + 1:].decode(errors="replace"), _mode_beside(path))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return the event in a line, None if it holds none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return None
    number = found.get("n")
    return found if isinstance(number, int) and not isinstance(number, bool) else None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value, _LINES, _WIDTH)
    return {name: _cleaned(field) for name, field in value.items()} if isinstance(value, dict) else value


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may have users that nobody has named
        return str(os.getuid())
