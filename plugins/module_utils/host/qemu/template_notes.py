# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The notes of the warm templates on this host. They are apart from templates.py, which takes much longer to import."""

from __future__ import annotations

import os

from ...errors import HostError
from ..base.paths import read_json

TEMPLATES = "/var/cache/benito/templates"
NOTE = "template.json"
FILES = ("memory", "state", "disk.qcow2")


class DamagedTemplateError(HostError):
    """A file of a template has changed since the template was made. Then the template is removed, and made again when it is needed."""


def read_note(key: str) -> dict:
    """Read a template's note. Raises FileNotFoundError or DamagedTemplateError."""
    try:
        note = read_json(f"{TEMPLATES}/{key}/{NOTE}")
    except HostError as exc:
        raise DamagedTemplateError(f"{TEMPLATES}/{key}/{NOTE} is damaged") from exc
    if note is None:
        raise FileNotFoundError(f"{TEMPLATES}/{key}/{NOTE}")
    if not isinstance(note.get("files"), dict) or not isinstance(note.get("fingerprint"), dict):
        raise DamagedTemplateError(f"{TEMPLATES}/{key}/{NOTE} is damaged")
    return note


def templates_here() -> list[dict]:
    """Return every template, the latest used first: its fingerprint, and "key", "size_mb", "private_mb", "used" (seconds since the epoch)."""
    found = []
    try:
        names = os.listdir(TEMPLATES)
    except FileNotFoundError:
        return []
    for key in names:
        try:
            note, used = read_note(key), os.stat(f"{TEMPLATES}/{key}/{NOTE}").st_mtime
            size = sum(os.stat(f"{TEMPLATES}/{key}/{name}").st_blocks for name in FILES) * 512
        except (FileNotFoundError, NotADirectoryError, DamagedTemplateError):
            continue
        found.append({**note["fingerprint"], "key": key, "size_mb": -(-size >> 20), "private_mb": note.get("private_mb", 0), "used": int(used)})
    return sorted(found, key=lambda template: (-template["used"], template["key"]))
