# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals reach the children of the command, also a child that has forgotten the first one."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from benito import runs
from benito.runs import signals_forwarded

FORGETFUL = """count=0; trap 'count=$((count + 1)); [ $count -ge {needed} ] && exit 5' {name}; echo ready; while :; do sleep 0.05; done"""


def ended_after(name, needed, number):
    """Return the exit status of a child that ends at the signal that it gets for the ``needed``-th time, and the signals that this process got."""
    with subprocess.Popen(["/bin/bash", "-c", FORGETFUL.format(name=name, needed=needed)], stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        try:
            child.stdout.readline()
            with signals_forwarded() as received:
                os.kill(os.getpid(), number)
                return child.wait(20), received
        finally:
            child.kill()


@pytest.mark.parametrize(("name", "number"), [("INT", signal.SIGINT), ("TERM", signal.SIGTERM)])
def test_a_child_that_forgets_a_signal_gets_it_again(monkeypatch, name, number):
    monkeypatch.setattr(runs, "REPEAT_S", 0.2)
    assert ended_after(name, 3, number) == (5, [number])


def test_a_child_that_obeys_gets_it_once_and_nothing_is_sent_afterwards(monkeypatch):
    monkeypatch.setattr(runs, "REPEAT_S", 0.2)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert ended_after("INT", 1, signal.SIGINT) == (5, [signal.SIGINT])
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    with subprocess.Popen(["sleep", "0.6"]) as later:
        assert later.wait(10) == 0
    deadline = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < deadline and any("insist" in thread.name for thread in threading.enumerate()):
        time.sleep(0.05)
    assert not any("insist" in thread.name for thread in threading.enumerate())
