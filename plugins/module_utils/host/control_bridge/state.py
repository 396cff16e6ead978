# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remember control0: the record of the change, the experiments that use it, and the armed roll-back.

``/run/benito/control0.json``             a change that is not confirmed yet; a reboot forgets it, as it forgets the change
``/var/benito/control0/state.json``       the confirmed state, which is brought up at every boot
``/var/benito/control0/users/PID.EID``    one file for each experiment that uses it
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...errors import HostError
from ...names import is_project_name
from ..base.os_errors import why
from ..base.paths import ROOT, RUN_ROOT, read_json, write_atomically
from .link_config import LinkConfig

DIRECTORY = f"{ROOT}/control0"
CONFIRMED = f"{DIRECTORY}/state.json"
USERS = f"{DIRECTORY}/users"
PENDING = f"{RUN_ROOT}/control0.json"
ROLLBACK_UNIT = "benito-control-bridge-rollback"
VERSION = 1
_OLD_NAME = "belongings"  # of link_config, in records of hosts whose control0 has been up for long


@dataclass(frozen=True)
class Record:
    """One change of this host's control interface.

    interface   the interface under control0
    manager     who configures it: ``networkd``, ``netplan``, ``NetworkManager``, ``ifupdown`` or ``none``
    mac         its MAC address, which control0 has too
    link_config what it carried before, as LinkConfig.to_plain() gives it
    files       {path: text} of the persistent form: our files, all of them
    memory      what the manager needs to undo it, {name: text}
    program     argv of benito-host, for the roll-back and for boots
    user        ``pid.eid`` that asked for it, or ""
    leaving     whether this is control0 being taken away, not brought up
    """

    interface: str
    manager: str
    mac: str
    link_config: dict
    files: dict = field(default_factory=dict)
    memory: dict = field(default_factory=dict)
    program: tuple = ()
    user: str = ""
    leaving: bool = False
    version: int = VERSION

    def carried(self) -> LinkConfig:
        """Return what the interface carried before."""
        return LinkConfig.from_plain(self.link_config)


def load(path: str) -> Record | None:
    """Return the record in ``path``, or None. Raises HostError when it is damaged or of another version."""
    data = read_json(path)
    if data is None:
        return None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise HostError(f"{path} is not a record of control0 that this benito-host understands")
    if _OLD_NAME in data:
        data["link_config"] = data.pop(_OLD_NAME)
    return Record(**{**data, "program": tuple(data["program"])})


def save(record: Record, path: str) -> None:
    """Write the record. Raises HostError."""
    make_directory(os.path.dirname(path))
    write_atomically(path, json.dumps(dataclasses.asdict(record), indent=1) + "\n")


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make a directory and its parents. Raises HostError."""
    try:
        os.makedirs(path, mode, exist_ok=True)
    except OSError as exc:
        raise HostError(f"cannot make {path}: {why(exc, path)}") from exc


def forget_pending() -> None:
    """Remove the record of a change that is confirmed or undone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(PENDING)
    with contextlib.suppress(OSError):
        os.rmdir(RUN_ROOT)


def forget_confirmed() -> None:
    """Remove everything that is remembered of a confirmed control0."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)


def users() -> list[str]:
    """Return the experiments that use control0, sorted."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(os.listdir(USERS))
    return []


def check_user(user: str) -> str:
    """Return the name if it can be an experiment's. Raises HostError."""
    pid, dot, eid = user.partition(".")
    if user and not (dot and is_project_name(pid) and is_project_name(eid)):
        raise HostError(f"user {user!r} is not of the form pid.eid")
    return user


def add_user(user: str) -> bool:
    """Count the experiment in. Returns whether it was not counted before."""
    if not user or user in users():
        return False
    make_directory(USERS)
    write_atomically(f"{USERS}/{user}", "")
    return True


def remove_user(user: str) -> bool:
    """Count the experiment out. Returns whether it was counted before."""
    try:
        os.unlink(f"{USERS}/{user}")
    except FileNotFoundError:
        return False
    return True


@contextlib.contextmanager
def lock() -> Iterator[None]:
    """Allow one change of control0 at a time on this host. The lock ends with the process and leaves no file."""
    handle = os.open("/run", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def this_program() -> tuple[str, ...]:
    """Return the argv that runs this benito-host again. Raises HostError when it does not run from a file."""
    path = os.path.abspath(sys.argv[0])
    if not os.path.isfile(path):
        raise HostError("benito-host does not run from a file, so the roll-back cannot be armed: run it as installed by the role deter.benito.vhost")
    return (sys.executable or "/usr/bin/python3", path)


def arm_rollback(program: Sequence[str], seconds: int) -> None:
    """Let systemd undo the pending change after ``seconds``, whatever happens to this process. Raises HostError."""
    disarm_rollback()
    run("systemd-run", "--quiet", "--collect", f"--unit={ROLLBACK_UNIT}", f"--on-active={seconds}", "--timer-property=AccuracySec=100ms",
        "--description=deter.benito: undo control0 unless it is confirmed", *program, "control-bridge", "rollback")


def disarm_rollback() -> None:
    """Stop the timer, if there is one. A roll-back that runs already is not stopped."""
    run("systemctl", "stop", f"{ROLLBACK_UNIT}.timer", accept=True)


def run(*command: str, accept: bool = False, seconds: int = 40) -> str:
    """Return the command's output. Raises HostError with its message when it takes too long or, without ``accept``, when it fails."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError as exc:
        if accept:
            return ""
        raise HostError(f"{command[0]} is not installed on this host") from exc
    except subprocess.TimeoutExpired as exc:
        raise HostError(f"{' '.join(command[:3])} has not ended within {seconds} s") from exc
    if result.returncode and not accept:
        raise HostError(f"{' '.join(command[:3])}: {(result.stderr or result.stdout).strip() or f'status {result.returncode}'}")
    return result.stdout
