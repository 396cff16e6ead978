# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Execution of an NS file with tclsh, in a child process without access to the system and with limits; the result is its records.

The file itself runs in a safe interpreter within the child (``prelude.py``): no files, no network, no processes. The child
also has limits on commands, CPU time, memory, output and files, and is killed on timeout.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from typing import NamedTuple

from ...errors import BenitoError, InputError, Problem
from .prelude import PRELUDE

# CPU time: SECONDS for the file, CPU_SECONDS until the kernel kills the child. Wall-clock time is longer on a busy machine.
SECONDS = 6
CPU_SECONDS = 8
WALL_SECONDS = 45
COMMANDS = 20_000_000
MEMORY_MB = 256
OUTPUT_BYTES = 12 * 1024 * 1024
LONGEST_TEXT = 65536
MAX_BYTES = 4 * 1024 * 1024

_ESCAPED = re.compile(r"\\(.)")
_UNESCAPED = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
_CONTROL = re.compile(rb"[\x00\x1a]")
_BODY = re.compile(r'\("(?:[^"\n]*)" (?:body|then script|else script|arm)?\s*line (\d+)\)|\("[^"\n]*"[^)\n]* line (\d+)\)')
_PROCEDURE = re.compile(r'\(procedure "([^"\n]{1,80})" line (\d+)\)')
_FILE = re.compile(r'\(file "([^"\n]*)" line (\d+)\)')


class SourceLocation(NamedTuple):
    """A location in a file: the file's name as the user gave it, and the line, 0 if unknown."""

    file: str
    line: int = 0


class Record(NamedTuple):
    """One action of the file: its kind, its location, and its texts."""

    kind: str
    location: SourceLocation
    fields: tuple[str, ...]


def run_file(text: bytes, source: str, folder: str, testbed_commands: Iterable[str]) -> list[Record]:
    """Run the NS file ``text`` and return its records in order. If it ended early, the last one is of kind ``fault`` or ``limit``.

    source            the file as the user named it
    folder            the folder of other files that may be read with ``source``
    testbed_commands  names of the commands in addition to Tcl's own

    Raises InputError if the text is not a script, and BenitoError if tclsh is missing or cannot be run.
    """
    _refuse_what_is_no_script(text, source)
    program = shutil.which("tclsh", path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/usr/local/bin")
    if program is None:
        raise BenitoError(f"{source}: reading NS files needs the program tclsh: install the package tcl")
    try:
        output, ended, names = _run(program, text, folder, testbed_commands)
    except (OSError, subprocess.SubprocessError) as exc:
        raise BenitoError(f"{source}: tclsh, which reads NS files, could not be run: {exc}") from exc
    records = _records(output, _Names({name: source for name in names}, source, folder))
    return _with_ending(records, ended, source)


def _run(program: str, text: bytes, folder: str, testbed_commands: Iterable[str]) -> tuple[bytes, str, tuple[str, ...]]:
    """Return (the child's output, why it ended, the child's names for the file)."""
    with tempfile.TemporaryDirectory(prefix="benito-ns-") as work:
        driver, script = os.path.join(work, "prelude.tcl"), os.path.join(work, "experiment.tcl")
        for path, content in ((driver, PRELUDE.encode()), (script, _utf8(text))):
            with open(path, "wb") as handle:
                handle.write(content)
        limits = [str(SECONDS), str(WALL_SECONDS), str(COMMANDS), str(OUTPUT_BYTES), str(LONGEST_TEXT)]
        arguments = [program, driver, script, os.path.abspath(folder), *limits, " ".join(testbed_commands)]
        output, ended = _output(arguments, work)
        return output, ended, ("", script, os.path.realpath(script))


def _refuse_what_is_no_script(text: bytes, source: str) -> None:
    if len(text) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES // 2**20} MB", source, hint="is it an NS file?"))
    if not text.strip():
        raise InputError(Problem("is empty", source, hint="an NS file begins with: set ns [new Simulator]"))
    control = _CONTROL.search(text)
    if control:
        what = "NUL byte" if control.group() == b"\0" else "Control-Z, which ends a Tcl script"
        line = text.count(b"\n", 0, control.start()) + 1
        raise InputError(Problem(f"contains a {what}", source, line, hint="this is not a text file, or it is damaged"))


def _utf8(text: bytes) -> bytes:
    """Return the script in UTF-8 without a byte order mark; if it is not UTF-8, it is decoded as Latin 1."""
    try:
        return text.decode("utf-8-sig").encode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()


class _Names:
    """The user's names for the child's paths."""

    def __init__(self, names: dict[str, str], source: str, folder: str):
        self.names = names
        self.root = os.path.realpath(folder)
        own = os.path.basename(source) + ".d" == os.path.basename(self.root)
        self.shown = f"{source}.d" if own else os.path.dirname(source)

    def of(self, path: str) -> str:
        if path not in self.names:
            self.names[path] = os.path.join(self.shown, os.path.relpath(path, self.root))
        return self.names[path]


def _limited(arguments: list[str]) -> list[str]:
    """Return the command with its limits: a shell sets those that are stricter than the system's, then executes the command.

    It does not use ``preexec_fn``, which would fail if Python needs more memory than the child's limit.
    """
    limits = {"v": MEMORY_MB * 1024, "t": CPU_SECONDS, "f": 0, "n": 32, "c": 0}
    setting = "; ".join(f"ulimit -{name} {value} 2>/dev/null" for name, value in limits.items())
    return ["/bin/sh", "-c", f'{setting}; exec "$@"', "sh", *arguments]


def _output(arguments: list[str], work: str) -> tuple[bytes, str]:
    """Return (the child's output, why it ended: "" for a normal end, else the exceeded limit or the crash)."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    child = subprocess.Popen(
        _limited(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=work, env=environment
    )
    deadline = time.monotonic() + WALL_SECONDS
    parts: dict = {child.stdout: [], child.stderr: []}
    size, ended = 0, ""
    with selectors.DefaultSelector() as selector:
        for stream in parts:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map() and not ended:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            for key, _events in ready:
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                parts[key.fileobj].append(data)
                size += len(data)
            if size > OUTPUT_BYTES + 131072:
                ended = "output"
            elif not ready and time.monotonic() >= deadline:
                ended = "time"
    if ended:
        child.kill()
    try:
        child.wait(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        ended = "time"
    for stream in parts:
        stream.close()
    return b"".join(parts[child.stdout]), ended or _death(child.returncode, b"".join(parts[child.stderr]))


def _death(status: int, complaint: bytes) -> str:
    """Return the reason why a child ended that was not killed here; "" for success."""
    if status == 0:
        return ""
    if status == -signal.SIGXCPU or status == -signal.SIGKILL:
        return "time"
    if b"alloc" in complaint:
        return "memory"
    if status == -signal.SIGSEGV:
        return "depth"
    return "crash: " + " ".join(complaint.decode("utf-8", "replace").split())[:200]


def _records(output: bytes, names: _Names) -> list[Record]:
    """Return the records of the output, without an incomplete last one."""
    records = []
    places: dict = {}
    for line in output.decode("utf-8", "replace").split("\n")[:-1]:
        fields = line.split("\t")
        if "\\" in line:
            fields = [_ESCAPED.sub(lambda found: _UNESCAPED[found.group(1)], field) for field in fields]
        kind, path, number, *rest = fields
        location = places.get((path, number))
        if location is None:
            location = places[path, number] = SourceLocation(names.of(path), int(number))
        record = Record(kind, location, tuple(rest))
        records.append(_placed(record, names) if kind in ("fault", "limit") and len(rest) > 1 else record)
    return records


def _placed(record: Record, names: _Names) -> Record:
    """Return a fault or a limit with its location; if that is unknown, it is derived from Tcl's error trace."""
    trail = record.fields[1]
    found = _FILE.search(trail)
    if record.location.line or found is None:
        return Record(record.kind, record.location, record.fields[:1])
    line, text, before = int(found.group(2)), record.fields[0], trail[: found.start()]
    procedure = _PROCEDURE.search(before)
    if procedure and record.kind == "fault":
        text += f", in line {procedure.group(2)} of procedure {procedure.group(1)}"
    elif not procedure:
        line += sum(int(inner.group(1) or inner.group(2)) - 1 for inner in _BODY.finditer(before))
    return Record(record.kind, SourceLocation(names.of(found.group(1)), line), (text,))


def _with_ending(records: list[Record], ended: str, source: str) -> list[Record]:
    if records and records[-1].kind == "end":
        return records[:-1]
    if not records or records[-1].kind != "limit":
        records.append(Record("limit", SourceLocation(source), (ended or "crash: it stopped without a word",)))
    return records
