# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and follow what has happened to an experiment: events.jsonl, or activity.log where there is none."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError

from .experiment import Experiment

EVENTS, ACTIVITY = "events.jsonl", "activity.log"
_POLL_S = 0.3


def entries(experiment: Experiment, follow: bool = False) -> Iterator[dict[str, Any]]:
    """Yield {"time", "event" or "text", …} of every entry so far, and then of each new one if ``follow``, until the experiment is terminated.

    Raises ExperimentError if the experiment does not exist or its log cannot be read.
    """
    experiment.read_state()
    name = EVENTS if os.path.exists(os.path.join(experiment.directory, EVENTS)) else ACTIVITY
    path = os.path.join(experiment.directory, name)
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            for line in _lines(handle, follow, path):
                yield _event(line) if name == EVENTS else _activity(line)
    except OSError as exc:
        raise ExperimentError(f"cannot read the log of {experiment}: {exc.strerror} ({path})") from exc


def as_line(entry: dict[str, Any]) -> str:
    """Return an entry as one line for people."""
    rest = [str(entry[key]) for key in ("event", "text") if entry.get(key)]
    rest += [f"{key}={value}" for key, value in entry.items() if key not in ("time", "event", "text") and value not in ("", None, [], {})]
    return clean_line(f"{entry.get('time', '')} {' '.join(rest)}".strip(), 2000)


def _lines(handle: Any, follow: bool, path: str) -> Iterator[str]:
    """Yield whole lines. One that is being written is waited for if ``follow``."""
    begun = ""
    while True:
        begun += handle.readline()
        if begun.endswith("\n"):
            yield begun.rstrip("\n")
            begun = ""
        elif not follow or not os.path.exists(path):
            return
        else:
            time.sleep(_POLL_S)


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {"time": "", "text": line}
    return found if isinstance(found, dict) else {"time": "", "text": line}


def _activity(line: str) -> dict[str, Any]:
    stamp, _space, text = line.partition(" ")
    return {"time": stamp, "text": text}
