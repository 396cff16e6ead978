# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs Graphviz's programs on pictures, each in a child process with a limit on time and memory, which is killed when its time is over."""

from __future__ import annotations

import contextlib
import math
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import BenitoError

PROGRAMS = ("dot", "neato", "fdp", "sfdp", "twopi", "circo")
FORMATS = ("svg", "png", "pdf", "dot")
DOT = "dot"  # the format that is the text itself, and a program
MEMORY_MB = 1536
_LARGEST_FILE_MB = 256
_SHARE = 0.6  # of the time that is left, for one after which there is another
_LONGEST_COMPLAINT = 200


@dataclass(frozen=True)
class Attempt:
    """A way to make a picture: the program, and a function that gives the text for it."""

    program: str
    text: Callable[[], str]


@dataclass(frozen=True)
class Rendering:
    """A picture.

    files    {format: content}
    program  what laid it out
    failed   what was tried before, in words: "neato did not end within 12 s"
    """

    files: dict[str, bytes]
    program: str
    failed: tuple[str, ...] = ()


class _Failed(Exception):
    """One program made no picture; the message says why, with the program as its subject."""


def render(attempts: list[Attempt], formats: tuple[str, ...], seconds: float) -> Rendering:
    """The picture by the first of the attempts that succeeds, all within ``seconds``; each has at most its share of what is left.

    Raises BenitoError with what each said when none does, or when the first one's program is not there.
    """
    deadline = time.monotonic() + seconds
    failed = []
    for attempt in attempts:
        left = deadline - time.monotonic()
        if failed and left <= 0:
            break
        share = left if attempt is attempts[-1] else left * _SHARE
        try:
            return Rendering(_files(attempt, formats, share), attempt.program, tuple(failed))
        except _Failed as exc:
            failed.append(str(exc))
    raise BenitoError("; ".join(failed))


def _files(attempt: Attempt, formats: tuple[str, ...], seconds: float) -> dict[str, bytes]:
    text = attempt.text().encode()
    drawn = [form for form in formats if form != DOT]
    files = {DOT: text} if DOT in formats else {}
    if not drawn:
        return files
    program = program_path(attempt.program)
    with tempfile.TemporaryDirectory(prefix="benito-picture-") as work:
        with open(os.path.join(work, "picture.dot"), "wb") as handle:
            handle.write(text)
        outputs = [word for form in drawn for word in (f"-T{form}", f"-opicture.{form}")]
        _run([program, *outputs, "picture.dot"], attempt.program, work, seconds)
        for form in drawn:
            with open(os.path.join(work, f"picture.{form}"), "rb") as handle:
                files[form] = handle.read()
    return files


def program_path(program: str) -> str:
    """Where a program of Graphviz is. Raises BenitoError when it is none, or not there."""
    if program not in PROGRAMS:
        raise BenitoError(f"there is no program {program!r}: it is one of {', '.join(PROGRAMS)}")
    path = shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/usr/local/bin")
    if path is None:
        raise BenitoError(f"pictures need the program {program}: install the package graphviz")
    return path


def _limit_child(seconds: float) -> None:
    """Runs in the child, before the program."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_MB * 2**20),
        (resource.RLIMIT_CPU, math.ceil(seconds) + 1),
        (resource.RLIMIT_FSIZE, _LARGEST_FILE_MB * 2**20),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def _run(command: list[str], program: str, work: str, seconds: float) -> None:
    """Raises _Failed unless it ends well within ``seconds``. SOURCE_DATE_EPOCH: the same topology gives the same PDF."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": work, "SOURCE_DATE_EPOCH": "0"}
    with open(os.path.join(work, "complaints"), "w+b") as complaints:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints, cwd=work, env=environment, start_new_session=True,
            preexec_fn=lambda: _limit_child(seconds)
        )  # fmt: skip
        try:
            status = child.wait(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            raise _Failed(f"{program} did not end within {seconds:.2g} s") from None
        finally:
            if child.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        complaints.seek(0)
        said = " ".join(complaints.read(10_000).decode("utf-8", "replace").split())[:_LONGEST_COMPLAINT]
    if status == -signal.SIGXCPU or status == -signal.SIGKILL:
        raise _Failed(f"{program} did not end within {seconds:.2g} s")
    if status:
        raise _Failed(f"{program} failed ({f'signal {-status}' if status < 0 else status}): {said or 'it said nothing'}")
