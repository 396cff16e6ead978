# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines that show that a long task is at work."""

from __future__ import annotations

import threading

from ansible_collections.deter.benito.plugins.plugin_utils import progress


def test_each_phase_is_shown_when_it_begins_and_again_while_it_lasts(monkeypatch, capsys):
    shown, display = threading.Semaphore(0), progress.display.display

    def count(text):
        display(text)
        shown.release()

    monkeypatch.setattr(progress, "_EACH_S", 0.05)
    monkeypatch.setattr(progress.display, "display", count)
    with progress.show_phases() as report:
        report("image a: fetching\x1b[31m")
        assert all(shown.acquire(timeout=10) for _time in range(3))
        report("image a: unpacking")
        assert shown.acquire(timeout=10)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["image a: fetching", "image a: fetching (0 s)", "image a: fetching (0 s)"]
    assert "image a: unpacking" in lines


def test_nothing_is_shown_before_the_first_phase(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_EACH_S", 0.01)
    with progress.show_phases():
        threading.Event().wait(0.1)
    assert capsys.readouterr().out == ""
