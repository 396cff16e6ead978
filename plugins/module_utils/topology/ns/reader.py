# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of NS files, the Emulab and DETER dialect of ns-2's Tcl.

``interpreter.py`` runs the file; this module replays its records in order. All errors of a file are reported at once, as one
InputError. Warnings are returned beside the topology, also about statements without effect.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable

from ...errors import Problem
from ..model import Topology
from ..scope import shown
from ..topdl.writer import NOT_XML
from . import testbed_commands
from .calls import call
from .conclusion import conclude
from .interpreter import MEMORY_MB, OUTPUT_BYTES, SECONDS, Record, SourceLocation, run_file
from .objects import create, create_other
from .reading import Reading
from .sourced import keep_source
from .to_topology import to_topology
from .units import PROFILES

_LIMITS = {
    "time": (f"it takes more than {SECONDS} seconds of the processor's time", "is there a loop without an end?"),
    "command": ("it runs too many commands", "is there a loop without an end?"),
    "output": (f"it makes more than {OUTPUT_BYTES // 2**20} MB of objects and texts", "is there a loop without an end?"),
    "memory": (f"it needs more than {MEMORY_MB} MB of memory", "does a text or a list grow for ever, or is there a loop without an end?"),
    "depth": ("it is nested too deep", "is there a procedure that calls itself?"),
}
# Maximum number of records to replay after a limit was exceeded, to find further errors.
MOST_AFTER_A_LIMIT = 20_000
_NO_COMMAND = re.compile(r"there is no command (tb[-_]\S{1,100})")
_NO_EFFECT = ("object", "call", "testbed", "new", "option", "name")


def read_ns_text(text: bytes, source: str, folder: str, profile: str = "default") -> tuple[Topology, tuple[Problem, ...], dict[str, bytes]]:
    """Read an NS file's text; return the topology, warnings, and the files that it reads, {path below ``folder``: content}.

    source   the name of the file in messages
    folder   the folder of the files that it may read with ``source``
    profile  ``default``, or ``emulab`` for the rules of an Emulab site where they are stricter

    Raises InputError with all errors of the file, each with file and line; BenitoError if tclsh is not installed.
    """
    reading = Reading(source, PROFILES[profile])
    records = run_file(text, source, folder, tuple(testbed_commands.COMMANDS))
    if records and (records[-1].kind == "limit" or _is_out_of_memory(records[-1])):
        records = [*records[:MOST_AFTER_A_LIMIT], records[-1]]
    ran, ended = _replay(reading, records, folder)
    conclude(reading)
    if not ran and not ended:
        reading.found.error(SourceLocation(source), "", "$ns run is missing", "it is the last line: $ns run")
    reading.found.raise_errors()
    topology = to_topology(reading.network, source)
    return topology, reading.found.warnings(), reading.network.sourced


def _replay(reading: Reading, records: list[Record], folder: str) -> tuple[bool, bool]:
    """Replay the records. Return (whether the file reached ``$ns run``, whether it ended early)."""
    ran = ended = False
    for record in records:
        if record.kind == "run":
            if ran:
                reading.found.error(record.location, "", "$ns run stands twice", "once, as the last line")
            ran = True
        elif record.kind == "source":
            given, path = record.fields
            keep_source(reading, record.location, given, path, folder)
        elif record.kind in ("fault", "limit"):
            ended = True
            _note_end(reading, record)
        elif ran and record.kind in _NO_EFFECT:
            reading.found.once("what comes after run", record.location, "", "what comes after $ns run has no effect", "$ns run is the last line")
        else:
            _refuse_what_topdl_cannot_hold(reading, record)
            _STEPS[record.kind](reading, record.location, *record.fields)
    return ran, ended


def _refuse_what_topdl_cannot_hold(reading: Reading, record: Record) -> None:
    for text in record.fields if record.kind in _NO_EFFECT else ():
        found = NOT_XML.search(text)
        if found:
            reading.found.error(record.location, "", f"{shown(text)} holds the character U+{ord(found.group()):04X}, which TopDL cannot carry")


def _is_out_of_memory(record: Record) -> bool:
    """Return whether Tcl ran out of memory; it has no limit on memory, so this is an ordinary error to it."""
    return record.kind == "fault" and "out of memory" in record.fields[0]


def _note_end(reading: Reading, record: Record) -> None:
    text = record.fields[0]
    if record.kind == "limit":
        message, hint = _LIMITS.get(text, (f"tclsh failed: {text}", ""))
        reading.found.error(record.location, "", message, hint)
        return
    if _is_out_of_memory(record):
        reading.found.error(record.location, "", *_LIMITS["memory"])
        return
    first, *rest = text.splitlines() or ["an error"]
    message = " ".join([first, *rest])
    hint = "is there a procedure that calls itself?" if "too many nested evaluations" in message else _near_command(message)
    reading.found.error(record.location, "", message, hint)


def _near_command(message: str) -> str:
    """Return a hint about an unknown ``tb-`` command that resembles one; "" for all other messages."""
    found = _NO_COMMAND.match(message)
    near = difflib.get_close_matches(found.group(1), testbed_commands.COMMANDS, 1, 0.8) if found else ()
    return f"perhaps {near[0]}" if near else ""


def _object(reading: Reading, location: SourceLocation, kind: str, name: str, *arguments: str) -> None:
    create(reading, location, kind, name, arguments)


def _new(reading: Reading, location: SourceLocation, name: str, kind: str, *arguments: str) -> None:
    create_other(reading, location, name, kind, arguments)


def _name(reading: Reading, _place: SourceLocation, old: str, new: str) -> None:
    thing = reading.network.objects.get(old)
    reading.network.objects[new] = thing
    if thing is not None and hasattr(thing, "name"):
        thing.name = new


def _call(reading: Reading, location: SourceLocation, kind: str, name: str, method: str, *arguments: str) -> None:
    call(reading, location, kind, name, method, arguments)


def _testbed(reading: Reading, location: SourceLocation, name: str, *arguments: str) -> None:
    testbed_commands.run(reading, location, name, arguments)


def _option(reading: Reading, _place: SourceLocation, name: str, value: str) -> None:
    reading.network.options[name] = value


def _compatibility(reading: Reading, _place: SourceLocation, _name: str) -> None:
    reading.network.compatible = True


def _print(reading: Reading, location: SourceLocation, text: str) -> None:
    reading.found.warn("what it prints", location, "puts", text)


def _error(reading: Reading, location: SourceLocation, message: str, hint: str = "") -> None:
    reading.found.error(location, "", message, hint)


def _not_a(reading: Reading, location: SourceLocation, _what: str, who: str, name: str) -> None:
    finder = reading.medium if _what == "LAN" else reading.node
    if finder(location, who, name) is not None:
        reading.found.error(location, who, f"{shown(name)} cannot be used here")


def _not_in(reading: Reading, location: SourceLocation, node: str, medium: str) -> None:
    reading.attachment(location, "lanlink", reading.node(location, "lanlink", node), reading.medium(location, "lanlink", medium))


def _unconnected(reading: Reading, location: SourceLocation, first: str, second: str) -> None:
    reading.found.error(location, "link", f"there is no link between {first} and {second}")


_STEPS: dict[str, Callable[..., None]] = {
    "object": _object,
    "new": _new,
    "name": _name,
    "call": _call,
    "testbed": _testbed,
    "option": _option,
    "compatibility": _compatibility,
    "print": _print,
    "error": _error,
    "not_a": _not_a,
    "not_in": _not_in,
    "unconnected": _unconnected,
    "end": lambda reading, location: None,
}
