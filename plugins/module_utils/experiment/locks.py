# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lock between runs on one machine that names its holder, and the identity of a run."""

from __future__ import annotations

import datetime
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass

from .. import files
from ..errors import ExperimentError


@dataclass(frozen=True)
class Holder:
    """A process that works on an experiment. Two holders are equal if process, host and start time are.

    process  process id
    host     name of the machine it runs on
    started  its start time in the kernel's ticks since boot, so that a reused process id is not mistaken for it
    since    when it began, ISO 8601
    """

    process: int
    host: str
    started: int
    since: str = ""

    @classmethod
    def of_process(cls, process: int | None = None) -> Holder:
        """Return the holder for the process id ``process``, by default this process."""
        process = process or os.getpid()
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        return cls(process, socket.gethostname(), _start_ticks(process), since)

    @classmethod
    def of_playbook(cls) -> Holder:
        """Return the Ansible run that this process belongs to. It outlives each of its tasks. Without such a run, return this process."""
        process = os.getpid()
        while process > 1 and not _is_ansible(process):
            process = _parent(process)
        while _command_line(_parent(process)) == _command_line(process) != []:  # its workers are forks of it
            process = _parent(process)
        return cls.of_process(process if process > 1 else None)

    @classmethod
    def from_dict(cls, data: dict | None) -> Holder | None:
        """Restore a holder from the result of ``as_dict``, None from None. Raises TypeError when it is anything else."""
        return None if data is None else cls(**data)

    def as_dict(self) -> dict:
        return asdict(self)

    def lives(self) -> bool:
        """Return whether the process still runs. A process on another machine cannot be checked and counts as running."""
        return self.host != socket.gethostname() or _start_ticks(self.process) == self.started != 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Holder) and (self.process, self.host, self.started) == (other.process, other.host, other.started)

    def __hash__(self) -> int:
        return hash((self.process, self.host, self.started))

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def locked(path: str, what: str) -> AbstractContextManager[None]:
    """Hold the lock file ``path`` for the block, and remove it afterwards. See ``files.locked``.

    Raises ExperimentError at once when another run has it.
    """
    return files.locked(path, what, ExperimentError, remove_if=lambda: True)


def _stat_fields(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the command's name, [] when there is no such process."""
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
