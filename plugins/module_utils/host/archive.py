# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""benito-host as files: taken from the sources that a module carries, installed under the digest of their content.

Several versions may be on a vhost at once; each experiment keeps the one it was swapped in with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib import resources

from ..errors import HostError
from .place import ROOT

_LAUNCHER = """\
#!/usr/bin/python3
import sys
sys.path.insert(0, {directory!r})
from benito.host.cli import main
sys.exit(main())
"""
_SHARED = ("errors.py", "hostplan.py", "names.py")


def sources() -> dict[str, str]:
    """{path in the program: text} of everything that benito-host consists of."""
    base = resources.files(__package__.rpartition(".")[0])
    found = {name: base.joinpath(name).read_text(encoding="utf-8") for name in _SHARED}
    for entry in base.joinpath("host").iterdir():
        if entry.name.endswith(".py"):
            found[f"host/{entry.name}"] = entry.read_text(encoding="utf-8")
    return {"__init__.py": "", **dict(sorted(found.items())), "host/__init__.py": ""}


def digest(files: dict[str, str]) -> str:
    """Sixteen hexadecimal digits of the content."""
    content = hashlib.sha256()
    for name in sorted(files):
        content.update(f"{name}\0{len(files[name])}\0{files[name]}".encode())
    return content.hexdigest()[:16]


def install_program(dry_run: bool = False) -> tuple[str, list[str]]:
    """Have the program installed under its digest. Returns (path of benito-host, changes in words). Raises HostError."""
    files = sources()
    directory = f"{ROOT}/lib/{digest(files)}"
    program = f"{directory}/benito-host"
    if os.path.exists(program):
        return program, []
    if not dry_run:
        try:
            _write(directory, files)
        except OSError as exc:
            raise HostError(f"cannot install benito-host in {directory}: {exc.strerror}") from exc
    return program, [f"{program}: installed"]


def _write(directory: str, files: dict[str, str]) -> None:
    """Whole or not at all: written beside, then renamed."""
    os.makedirs(os.path.dirname(directory), mode=0o755, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(directory))
    try:
        for name, text in files.items():
            path = f"{temporary}/benito/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
        with open(f"{temporary}/benito-host", "w", encoding="utf-8") as stream:
            stream.write(_LAUNCHER.format(directory=directory))
        os.chmod(f"{temporary}/benito-host", 0o755)
        os.chmod(temporary, 0o755)
        os.rename(temporary, directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
