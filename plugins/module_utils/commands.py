# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running this machine's commands, and the small file operations that must not leave halves."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
import time

from .errors import HostError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command: str, stdin: str = "", check: bool = True, seconds: float = 120, keep_environment: bool = False):
    """Run ``command`` in a clean environment; CompletedProcess with text stdout and stderr.

    Output goes through files, not pipes: a daemon that keeps them open must not make us wait.
    Raises HostError with the command's last words when it fails (unless ``check`` is false) or takes longer than ``seconds``.
    """
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    if keep_environment:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": PATH}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        try:
            done = subprocess.run(command, stdin=given, stdout=out, stderr=err, env=environment, timeout=seconds, check=False, cwd="/")
        except FileNotFoundError as exc:
            raise HostError(f"this machine has no {command[0]}") from exc
        except subprocess.TimeoutExpired as exc:
            raise HostError(f"{' '.join(command)} did not end within {seconds:g} s") from exc
        out.seek(0)
        err.seek(0)
        result = subprocess.CompletedProcess(command, done.returncode, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
    if check and result.returncode:
        words = (result.stderr.strip() or result.stdout.strip() or "it said nothing").splitlines()[-5:]
        raise HostError(f"{' '.join(command)} failed ({result.returncode}): {' / '.join(words)}")
    return result


def run_json(*command: str):
    """The JSON that ``command`` prints; an empty list where it prints nothing."""
    return json.loads(run(*command).stdout or "[]")


def read_text(path: str, default: str = "") -> str:
    """The text of ``path``, or ``default`` when there is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return default


def write_text(path: str, text: str, mode: int = 0o644) -> None:
    """Put ``text`` at ``path`` whole or not at all, never readable by more than ``mode``."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextlib.contextmanager
def locked(path: str, what: str, seconds: float, remove_if=lambda: False):
    """Hold an exclusive lock on ``path``, which is made when absent.

    what       what is locked, for the message
    seconds    how long to wait for another holder
    remove_if  asked before letting go: whether the lock file itself shall go too
    Raises HostError that names the holder.
    """
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    handle = _lock_of_the_living_file(path, what, time.monotonic() + seconds)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode(), 0)
        yield
    finally:
        os.ftruncate(handle, 0)
        if remove_if():
            os.unlink(path)
        os.close(handle)


def _lock_of_the_living_file(path: str, what: str, deadline: float) -> int:
    """An open, locked descriptor of the file that bears the name ``path`` now (its last holder may have removed the one we waited for)."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.fstat(handle).st_ino == os.stat(path).st_ino:
                    return handle
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
                os.close(handle)
                raise HostError(f"{what} is in use by {holder}; wait for it to end") from None
            time.sleep(0.2)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
