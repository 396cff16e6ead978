# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner of Graphviz's programs: each runs in a child process with limits on time and memory, and is killed on timeout."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from ...errors import BenitoError

PROGRAMS = ("dot", "neato", "fdp", "sfdp", "twopi", "circo")
FORMATS = ("svg", "png", "pdf", "dot")
DOT = "dot"  # a format, the text itself, and a program
MEMORY_MB = 1536
_LARGEST_FILE_MB = 256
_SHARE = 0.6  # of the remaining time, for every attempt but the last
_LONGEST_COMPLAINT = 200
_TEXT = "picture.dot"
_DATE = re.compile(rb"/CreationDate \(D:([0-9]{14})")  # overwritten, so that the same topology gives the same PDF


@dataclass(frozen=True)
class Attempt:
    """An attempt to make a picture: the program, and a function that returns the Graphviz text.

    again  None, or a function from Graphviz's description of the picture (``-Tjson0``) to a text with all positions, "" for none
    note   the drawback of this attempt, to be appended to "the program drew it"
    """

    program: str
    text: Callable[[], str]
    again: Callable[[dict], str] | None = None
    note: str = ""


@dataclass(frozen=True)
class Rendering:
    """A finished picture.

    files    {format: content}
    program  the program of the layout
    failed   messages of the failed attempts: "neato did not end within 12 s"
    note     the note of the successful attempt
    """

    files: dict[str, bytes]
    program: str
    failed: tuple[str, ...] = ()
    note: str = ""


class _Failed(BenitoError):
    """A failure of one program; the message gives the reason, with the program as its subject."""


def render(attempts: list[Attempt], formats: tuple[str, ...], seconds: float) -> Rendering:
    """Return the picture of the first successful attempt, all within ``seconds``. Each attempt but the last gets a share of the remaining time.

    Raises BenitoError with the messages of all attempts if all fail, or if a required program is not installed.
    """
    deadline = time.monotonic() + seconds
    failed: list[str] = []
    for attempt in attempts:
        left = deadline - time.monotonic()
        if failed and left <= 0:
            break
        share = left if attempt is attempts[-1] else left * _SHARE
        try:
            return Rendering(_files(attempt, formats, share), attempt.program, tuple(failed), attempt.note)
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
        began = time.monotonic()
        _write(work, text)
        command = [program]
        if attempt.again:
            _run([program, "-Tjson0", "-opicture.json", _TEXT], attempt.program, work, seconds)
            placed = _placed(attempt.again, _read(work, "json"))
            if placed:
                _write(work, placed.encode())
                command = [program_path("neato"), "-n2"]
        outputs = [word for form in drawn for word in (f"-T{form}", f"-opicture.{form}")]
        _run([*command, *outputs, _TEXT], attempt.program, work, seconds - (time.monotonic() - began))
        files.update((form, _read(work, form)) for form in drawn)
    if "pdf" in files:
        files["pdf"] = _DATE.sub(lambda found: b"/CreationDate (D:" + b"19700101000000"[: len(found[1])], files["pdf"])
    return files


def _placed(again: Callable[[dict], str], told: bytes) -> str:
    """Return the text with all positions; "" if Graphviz's output is not understood, and the picture stays as it is."""
    try:
        return again(json.loads(told))
    except (ValueError, LookupError):
        return ""


def _write(work: str, text: bytes) -> None:
    with open(os.path.join(work, _TEXT), "wb") as handle:
        handle.write(text)


def _read(work: str, form: str) -> bytes:
    with open(os.path.join(work, f"picture.{form}"), "rb") as handle:
        return handle.read()


def program_path(program: str) -> str:
    """Return the path of a Graphviz program. Raises BenitoError if the name is unknown or it is not installed."""
    if program not in PROGRAMS:
        raise BenitoError(f"there is no program {program!r}: it is one of {', '.join(PROGRAMS)}")
    path = shutil.which(program, path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/usr/local/bin")
    if path is None:
        raise BenitoError(f"pictures need the program {program}: install the package graphviz")
    return path


def _limit_child(seconds: float) -> None:
    """Set the resource limits in the child, before the program starts."""
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
    """Run a command. Raises _Failed unless it succeeds within ``seconds``."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": work}
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
