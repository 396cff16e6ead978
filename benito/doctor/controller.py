# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of this machine, the controller: Python, Ansible, the collection, libraries and programs; its kernel, for a local testbed."""

from __future__ import annotations

import glob
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.testbed.kernel import lacking

from ..collection import make_importable, version
from .checks import FAILED, OK, WARNING, Check
from .pool import kvm_here

_OLDEST_PYTHON = (3, 11)
_LIBRARIES = ("ansible_runner", "jsonschema", "lxml", "mtkahypar", "yaml")
_LOW_DISK_MB, _NO_DISK_MB = 2048, 200


def controller_checks(home: str) -> Iterator[Check]:
    """Yield every check of this machine.

    home  BENITO_HOME
    """
    collection = make_importable()
    yield _python()
    yield _ansible(collection)
    yield Check("collection", OK, f"deter.benito {version()} in {collection}")
    yield _libraries()
    yield _programs()
    yield _home(home)
    yield from _testbed(home)


def _python() -> Check:
    text = f"Python {'.'.join(map(str, sys.version_info[:3]))} in {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", FAILED, text, f"run benito by Python {'.'.join(map(str, _OLDEST_PYTHON))} or newer")
    return Check("python", OK, text)


def _ansible(collection: Path) -> Check:
    required = re.search(r'requires_ansible: ">=([\d.]+)"', (collection / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    oldest = required[1] if required else "0"
    try:
        found = importlib.metadata.version("ansible-core")
    except importlib.metadata.PackageNotFoundError:
        return Check("ansible", FAILED, f"this Python ({sys.executable}) has no ansible-core", f"install ansible-core {oldest} or newer in its environment")
    if _numbers(found) < _numbers(oldest):
        return Check("ansible", FAILED, f"ansible-core {found}", f"install a newer one: {sys.executable} -m pip install 'ansible-core>={oldest}'")
    return Check("ansible", OK, f"ansible-core {found}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _libraries() -> Check:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        return Check("libraries", FAILED, f"this Python has no {', '.join(missing)}", f"{sys.executable} -m pip install -r requirements.txt of the collection")
    return Check("libraries", OK, ", ".join(_LIBRARIES))


def _programs() -> Check:
    path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}"
    missing = [name for name in ("ansible", "ansible-playbook") if not shutil.which(name, path=path)]
    if missing:
        return Check("programs", FAILED, f"{' and '.join(missing)} cannot be found beside {sys.executable} or in PATH",
                     "install ansible-core in its environment")
    if not shutil.which("ssh"):
        return Check("programs", FAILED, "there is no SSH client", "install the package openssh-client")
    return Check("programs", OK, "ansible, ansible-playbook, ssh")


def _home(home: str) -> Check:
    there = home
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    if not os.access(there, os.W_OK | os.X_OK):
        return Check("home", FAILED, f"{home} cannot be written", "set BENITO_HOME to a folder of your own, or change the owner of that one")
    status = os.statvfs(there)
    free = status.f_bavail * status.f_frsize >> 20
    text = f"{home}, {free:,} MiB free"
    if free < _LOW_DISK_MB:
        return Check("home", FAILED if free < _NO_DISK_MB else WARNING, text, "make room: images of nodes are kept there, about 1 GiB each")
    return Check("home", OK, text)


def _testbed(home: str) -> Iterator[Check]:
    """Yield what a local testbed needs of this machine. Where there is none, what is missing is no more than a warning."""
    beds = glob.glob(f"{glob.escape(home)}/inventory/local_testbed_*.yml")
    if os.geteuid() != 0:
        if beds:
            yield Check("kernel", WARNING, "what the kernel can do is tried by root only", "run benito doctor as root, since there is a local testbed here")
        return
    reasons = lacking(home)
    if reasons:
        yield Check("kernel", FAILED if beds else WARNING, f"it cannot carry a local testbed: {'; '.join(reasons)}",
                    "use a newer kernel, or load its modules; machines of a pool elsewhere do not need this")
    else:
        yield Check("kernel", OK, "it has what a local testbed needs")
    yield from kvm_here(home)
