# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile file ends with one clear error in bounded time and memory, and cannot reach anything outside."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.ns import interpreter
from ansible_collections.deter.benito.tests.unit.topology.ns.files import TWO, errors_of

ENDLESS = {
    "a loop": "while 1 {}",
    "a loop that catches everything": "while 1 { catch { while 1 { incr x } } }",
    "a loop that prints": "while 1 { puts [string repeat x 400] }",
    "a loop that warns": "while 1 { $ns nonsense }",
    "recursion": "proc f {} { f }\nf",
    "recursion that catches": "proc f {} { catch { f }; catch { f } }\nf",
    "a giant string": "set x [string repeat abcdefgh 1000000000]",
    "a growing string": "set x abcdefgh\nwhile 1 { append x $x }",
    "a growing list": "while 1 { lappend l x }",
    "a giant number": "expr {9**9**9}",
    "a giant argument": "tb-set-ip [string repeat x 10000000] 1.2.3.4",
    "many arguments": "eval tb-set-hardware a [string repeat {x } 3000000]",
    "waiting": "vwait forever",
    "sleeping": "after 60000",
    "deep brackets": "set x " + "[" * 100000,
    "deep braces": "set x " + "{" * 100000,
    "a deep expression": "expr " + "(" * 100000,
    "a deep list": "set l {}\nwhile 1 { set l [list $l] }\nputs $l",
    "its own interpreter": "interp create\ninterp eval interp0 {while 1 {}}",
    "a coroutine": "proc f {} { yield; while 1 {} }\ncoroutine c f\nc",
    "a trace": "proc t args { while 1 {} }\ntrace add variable z write t\nset z 1",
    "a compression bomb": "set x [zlib compress [string repeat [string repeat x 1000000] 100]]\nwhile 1 { append y [zlib decompress $x] }",
}


# With the limits as they are: by commands or time, by output, and by the one who kills.
WHOLE = {
    "a loop": "while 1 {}",
    "a loop that makes nodes": "while 1 { $ns node }",
    "a number that takes long": "expr {(7**300000)**50 % 3}",
}


@pytest.mark.parametrize("case", WHOLE)
def test_endless_file_is_stopped_within_ten_seconds(case):
    before = seconds_used()
    (error,) = errors_of(WHOLE[case])
    assert "is there a loop without an end?" in error
    assert seconds_used() - before < 10
    assert_little_memory()


def seconds_used():
    """Return the processor seconds of this process and its children."""
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


UNTIL_LATER = TWO + "set end [expr {{[clock seconds] + {}}}]\nwhile {{[clock seconds] < $end}} {{}}"


def test_time_of_other_programs_does_not_count_for_the_file(monkeypatch):
    """The child is stopped most of the time, like a process that waits for the processor on a busy machine."""
    monkeypatch.setattr(interpreter, "SECONDS", 2)
    assert "seconds of the processor's time" in errors_of(UNTIL_LATER.format(30))[0]
    start = subprocess.Popen

    def waiting(*arguments, **options):
        child = start(*arguments, **options)
        threading.Timer(0.5, child.send_signal, [signal.SIGSTOP]).start()
        threading.Timer(5, child.send_signal, [signal.SIGCONT]).start()
        return child

    monkeypatch.setattr(interpreter.subprocess, "Popen", waiting)
    assert errors_of(UNTIL_LATER.format(5)) == []


@pytest.mark.parametrize("case", ENDLESS)
def test_endless_file_is_stopped(case, monkeypatch):
    monkeypatch.setattr(interpreter, "SECONDS", 1)
    monkeypatch.setattr(interpreter, "CPU_SECONDS", 2)
    errors = errors_of(ENDLESS[case])
    assert errors and len("\n".join(errors)) < 20000
    assert_little_memory()


def assert_little_memory():
    """Assert that neither this process nor any child ever used 500 MB."""
    assert max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) < 500 * 1024


FORBIDDEN = {
    "exec": ("exec touch {path}", "exec is not available in an NS file"),
    "open to write": ("open {path} w", "open is not available in an NS file"),
    "a pipe": ("open |/bin/sh w", "open is not available in an NS file"),
    "a socket": ("socket 127.0.0.1 22", "socket is not available in an NS file"),
    "file": ("file delete {path}", "file is not available in an NS file"),
    "glob": ("glob /*", "glob is not available in an NS file"),
    "cd": ("cd /", "cd is not available in an NS file"),
    "exit": ("exit 0", "exit is not available in an NS file"),
    "load": ("load {path}", "load is not available in an NS file"),
    "interpreters": ("interp create x", "interp is not available in an NS file"),
    "packages": ("package require http", "package is not available in an NS file"),
    "a file of the machine": ("source /etc/passwd", "source: /etc/passwd is not below the folder of this file"),
    "a file beside the folder": ("source ../outside.tcl", "source: ../outside.tcl is not below the folder of this file"),
    "a link out of the folder": ("source out.tcl", "source: out.tcl is not below the folder of this file"),
    "a device": ("source pipe", "source: pipe is not a file"),
    "a file that is not there": ("source none.tcl", "source: there is no file none.tcl"),
    "a file to print to": ("puts $ns x", "puts: an NS file cannot write to files"),
    "hidden commands": ("interp invokehidden {{}} exec touch {path}", "interp is not available in an NS file"),
    "the environment": ("puts $env(HOME)", "can't read"),
    "our own helpers": ("::benito::parameter auto_path x\nexec touch {path}", "exec is not available in an NS file"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_file_cannot_reach_anything_outside(case, tmp_path):
    body, expected = FORBIDDEN[case]
    lab = tmp_path / "lab"
    lab.mkdir()
    (tmp_path / "outside.tcl").write_text("set x 1\n")
    (lab / "out.tcl").symlink_to(tmp_path / "outside.tcl")
    os.mkfifo(lab / "pipe")
    before = sorted(tmp_path.rglob("*"))
    (error, *more) = errors_of(body.replace("{path}", str(tmp_path / "made")), folder=lab)
    assert expected in error and error.startswith("lab.tcl:") and not more
    assert sorted(tmp_path.rglob("*")) == before
