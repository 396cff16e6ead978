# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of an experiment's page, and the note by which the service of a BENITO_HOME says that it runs.

The service is in the package benito. It writes the note, which its own user can read.
"""

from __future__ import annotations

import contextlib
import json
import os
import urllib.parse
from collections.abc import Iterator

from ..files import private_directory, write_text
from .directory import ExperimentDirectory
from .locks import Holder

DEFAULT_URL = "http://127.0.0.1:8460"
_NOTE = os.path.join("grandstand", "service.json")


def service_url(home: str) -> str:
    """Return the address of the service of a BENITO_HOME, "" if none runs."""
    try:
        with open(os.path.join(home, _NOTE), encoding="utf-8") as handle:
            note = json.load(handle)
        holder = Holder.from_dict(note["process"])
        return str(note["url"]) if holder and holder.lives() else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextlib.contextmanager
def noted(home: str, url: str) -> Iterator[None]:
    """Say for the block that the service of this BENITO_HOME runs in this process. Raises OSError."""
    path = os.path.join(home, _NOTE)
    private_directory(os.path.dirname(path))
    write_text(path, json.dumps({"url": url, "process": Holder.of_process().as_dict()}), 0o600)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def page_line(directory: ExperimentDirectory, url_base: str) -> str:
    """Return where the page of an experiment is, and how to start the service if it needs that.

    url_base  the setting; "" for the service of the experiment's BENITO_HOME
    The form of the address is that of the original (spec/semantics.md §7).
    """
    running = url_base or service_url(directory.home)
    pid, eid = (urllib.parse.quote(part, safe="") for part in (directory.project, directory.eid))
    url = f"{running or DEFAULT_URL}/showexp.php3?pid={pid}&eid={eid}"
    return f"At {url}" if running else f"At {url} once the service runs (benito serve)"
