# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of benito-host. They are read from the collection's sources and installed under the digest of their content.

A vhost may have several versions at once. Each experiment keeps the version it was swapped in with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import marshal
import sys
from importlib import resources
from typing import TYPE_CHECKING

from ..base.paths import ROOT

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, {directory!r})
from benito_host.host.cli import main
sys.exit(main())
"""
_PACKAGE = "benito_host"
SHARED = ("clean_text.py", "errors.py", "file_lock.py", "hostplan.py", "names.py")


@functools.cache
def program_files() -> tuple[str, dict[str, str]]:
    """Return the directory in which benito-host is installed, and {path below it: text}. The path ``benito-host`` is the executable."""
    host = resources.files(__package__.rpartition(".")[0])
    shared = resources.files(__package__.rpartition(".host.")[0])
    files = {"__init__.py": "", **{name: shared.joinpath(name).read_text(encoding="utf-8") for name in SHARED}, **_texts_below(host, "host")}
    directory = f"{ROOT}/lib/{_digest(files)}"
    program = {f"{_PACKAGE}/{name}": files[name] for name in sorted(files)}
    return directory, {**program, "benito-host": _LAUNCHER.format(directory=directory)}


def _texts_below(folder: Traversable, path: str) -> dict[str, str]:
    """Return {path: text} of the Python files in ``folder`` and below it."""
    found = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found.update(_texts_below(entry, f"{path}/{entry.name}"))
        elif entry.name.endswith(".py"):
            found[f"{path}/{entry.name}"] = entry.read_text(encoding="utf-8")
    return found


def compiled_files() -> dict[str, str]:
    """Return the program's files as this Python compiles them, {path: content in base64}.

    This machine compiles them in a second, a machine under emulation in half a minute. Python uses them unchecked (PEP 552): the name of
    their directory is the digest of their source.
    """
    directory, files = program_files()
    found = {}
    for name, text in files.items():
        if name.endswith(".py"):
            code = compile(text, f"{directory}/{name}", "exec", dont_inherit=True)
            head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(text.encode())
            folder, _slash, base = name.rpartition("/")
            found[f"{folder}/__pycache__/{base[:-3]}.{sys.implementation.cache_tag}.pyc"] = base64.b64encode(head + marshal.dumps(code)).decode()
    return found


def installer() -> str:
    """Return the text of installer.py, which writes these files on a host."""
    return program_files()[1][f"{_PACKAGE}/host/delivery/installer.py"]


def remote_call() -> str:
    """Return the text of remote_call.py, which runs one task of benito-host on a host that need not have it installed."""
    return program_files()[1][f"{_PACKAGE}/host/delivery/remote_call.py"]


def _digest(files: dict[str, str]) -> str:
    """Return sixteen hexadecimal digits that identify the content."""
    content = hashlib.sha256()
    for name in sorted(files):
        content.update(f"{name}\0{len(files[name])}\0{files[name]}".encode())
    return content.hexdigest()[:16]
