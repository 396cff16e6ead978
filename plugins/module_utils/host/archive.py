# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""benito-host as files: taken from the sources of the collection, to be installed under the digest of their content.

Several versions may be on a vhost at once; each experiment keeps the one it was swapped in with.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import marshal
import sys
from importlib import resources

from .place import ROOT

_LAUNCHER = """\
#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, {directory!r})
from benito.host.cli import main
sys.exit(main())
"""
_SHARED = ("errors.py", "hostplan.py", "names.py", "node_images.py")


@functools.cache
def program_files() -> tuple[str, dict[str, str]]:
    """The directory that benito-host belongs in, and {path below it: text}; ``benito-host`` is what is run."""
    base = resources.files(__package__.rpartition(".")[0])
    found = {name: base.joinpath(name).read_text(encoding="utf-8") for name in _SHARED}
    for entry in base.joinpath("host").iterdir():
        if entry.name.endswith(".py"):
            found[f"host/{entry.name}"] = entry.read_text(encoding="utf-8")
    files = {"__init__.py": "", **dict(sorted(found.items())), "host/__init__.py": ""}
    directory = f"{ROOT}/lib/{_digest(files)}"
    return directory, {**{f"benito/{name}": text for name, text in files.items()}, "benito-host": _LAUNCHER.format(directory=directory)}


def compiled_files() -> dict[str, str]:
    """{path of a file that this Python would make of one of the program's: its content in base64}.

    What takes half a minute on a machine under emulation, this one does in a second. They are taken unchecked (PEP 552): the name of their directory
    tells what they were made of.
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
    """The text that writes them, see installer.py."""
    return program_files()[1]["benito/host/installer.py"]


def visitor() -> str:
    """The text that runs one function of it where it is not, see visitor.py."""
    return program_files()[1]["benito/host/visitor.py"]


def _digest(files: dict[str, str]) -> str:
    """Sixteen hexadecimal digits of the content."""
    content = hashlib.sha256()
    for name in sorted(files):
        content.update(f"{name}\0{len(files[name])}\0{files[name]}".encode())
    return content.hexdigest()[:16]
