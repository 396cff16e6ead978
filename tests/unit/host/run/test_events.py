# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor's event loop, with pipes as sources."""

from __future__ import annotations

import os
import time

from ansible_collections.deter.benito.plugins.module_utils.host.run.events import EventLoop, Source


class Pipe:
    """A source whose events are what was written into it."""

    def __init__(self, delay_s=0.0):
        self.reader, self.writer = os.pipe()
        self.acted: list[bytes] = []
        self.source = Source(f"pipe {self.reader}", self.reader, lambda: os.read(self.reader, 100).strip(b"."), self.acted.append, delay_s)

    def write(self, text):
        os.write(self.writer, text)


def test_each_source_gets_its_own_events():
    one, two = Pipe(), Pipe()
    loop = EventLoop([one.source, two.source])
    one.write(b"a")
    two.write(b"b")
    loop.step()
    one.write(b"c")
    loop.step()
    assert (one.acted, two.acted) == ([b"a", b"c"], [b"b"])


def test_an_event_of_no_interest_is_not_acted_on():
    pipe = Pipe()
    pipe.write(b"...")
    EventLoop([pipe.source]).step(0.01)
    assert pipe.acted == []


def test_a_burst_is_acted_on_once_and_later_events_do_not_put_it_off():
    pipe = Pipe(delay_s=0.2)
    loop = EventLoop([pipe.source])
    began = time.monotonic()
    for text in (b"a", b"b", b"c"):
        pipe.write(text)
        loop.step(0.05)
    assert pipe.acted == []
    while not pipe.acted:
        assert time.monotonic() < began + 5, "the burst was not acted on within 5 s"
        loop.step(5)
    assert pipe.acted == [b"c"]
    pipe.write(b"d")
    loop.step(5)
    loop.step(5)
    assert pipe.acted == [b"c", b"d"]
