# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between runs on one machine that says who holds it, and the identity of a run."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass

from ..errors import ExperimentError


@dataclass(frozen=True)
class Holder:
    """A process that works on something.

    process  process id
    host     name of the machine it runs on
    started  its start time in the kernel's ticks since boot, so that a reused process id is not mistaken for it
    since    when it took hold, ISO 8601
    """

    process: int
    host: str
    started: int
    since: str = ""

    @classmethod
    def of_process(cls, process: int | None = None) -> Holder:
        """The holder that process ``process`` (default: this one) is."""
        process = process or os.getpid()
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(process, socket.gethostname(), _start_ticks(process), since)

    @classmethod
    def of_playbook(cls) -> Holder:
        """The Ansible run that this process is a part of, which outlives each of its tasks; else this process."""
        process = os.getpid()
        while process > 1 and not _is_ansible(process):
            process = _parent(process)
        while _command_line(_parent(process)) == _command_line(process) != []:  # its workers are forks of it
            process = _parent(process)
        return cls.of_process(process if process > 1 else None)

    @classmethod
    def from_dict(cls, data: dict | None) -> Holder | None:
        """What ``as_dict`` gave. Raises TypeError when it is anything else."""
        return None if data is None else cls(**data)

    def as_dict(self) -> dict:
        return asdict(self)

    def lives(self) -> bool:
        """Whether it still runs; of another machine nothing is known, so it is taken to live."""
        return self.host != socket.gethostname() or _start_ticks(self.process) == self.started != 0

    def __eq__(self, other) -> bool:
        return isinstance(other, Holder) and (self.process, self.host, self.started) == (other.process, other.host, other.started)

    def __hash__(self) -> int:
        return hash((self.process, self.host, self.started))

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


@contextlib.contextmanager
def locked(path: str, what: str):
    """Hold the lock file ``path`` for the block; it is gone afterwards.

    Folders above it are made as needed. Raises ExperimentError at once, with the holder, when another has it; OSError when the
    file cannot be made.
    """
    descriptor = _take(path, what)
    try:
        with contextlib.suppress(OSError):  # who it is helps others; a full disk is no reason to fail here
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(Holder.of_process().as_dict()).encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def _take(path: str, what: str) -> int:
    while True:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # the holder before us tidied the folder away
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return descriptor
        except BlockingIOError as exc:
            raise ExperimentError(f"{what} is locked by {_read_holder(descriptor)}: wait for it to finish") from exc
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    """Whether the file we locked is the one that has the name: its last holder may have unlinked it."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _read_holder(descriptor: int) -> str:
    try:
        holder = Holder.from_dict(json.loads(os.pread(descriptor, 4096, 0)))
        return f"{holder} since {holder.since}"
    except (ValueError, TypeError, AttributeError):
        return "another run"
    finally:
        os.close(descriptor)


def _stat_fields(process: int) -> list[str]:
    """Fields of /proc/PID/stat after the command's name, [] for a process that is not there."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as handle:
            return handle.read().rpartition(")")[2].split()
    except OSError:
        return []


def _start_ticks(process: int) -> int:
    fields = _stat_fields(process)
    return int(fields[19]) if len(fields) > 19 else 0


def _parent(process: int) -> int:
    fields = _stat_fields(process)
    return int(fields[1]) if len(fields) > 1 else 0


def _command_line(process: int) -> list[bytes]:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as handle:
            return handle.read().split(b"\0")
    except OSError:
        return []


def _is_ansible(process: int) -> bool:
    programs = (b"ansible-playbook", b"ansible", b"ansible-console")
    return any(os.path.basename(argument) in programs for argument in _command_line(process)[:3])
