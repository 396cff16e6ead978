# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``benito watch --json`` in a process of its own, and its lines as a test reads them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import support


class Watch:
    """The lines of ``benito watch --json``.

    seen  those that have been read
    """

    def __init__(self, process):
        self.process, self.seen, self._lines = process, [], queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def until(self, what, limit_s=30.0, **fields) -> dict:
        """Return the next line that has these fields."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {what} within {limit_s} s; these came: {self.seen}")
            assert line is not None, f"the watch ended without {what}; these came: {self.seen}"
            self.seen.append(line)
            if fields.items() <= line.items():
                return line


@contextmanager
def watching(experiment, home):
    """Watch an experiment for the block. Yield the Watch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BENITO_"))}
    name = "{pid}/{eid}".format(**experiment.identity)
    kept |= {"BENITO_HOME": str(home), "PYTHONPATH": str(support.ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "benito", "watch", name, "--json"], env=kept, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    try:
        yield Watch(process)
    finally:
        process.terminate()
        process.wait(30)
