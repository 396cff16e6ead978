# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warm templates on this host: booted guests, saved in files, of which virtual machines are cloned.

A template is a directory ``/var/cache/benito/templates/KEY/``, which is made whole or not at all:

    memory         the guest's memory, a sparse file
    state          the state of QEMU's devices
    disk.qcow2     what the guest wrote during its boot, a layer over its image
    template.json  its fingerprint, the digest of each file, the private memory of a clone

An experiment uses a copy of these files. The copy is made and checked when the experiment first needs it after the host's boot. So a damaged
template is noticed, removing a template disturbs no experiment, and no experiment can change another's memory.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ...errors import HostError
from ..base.locks import try_lock
from ..base.os_errors import why
from ..base.paths import ExperimentPaths, remove_file, write_atomically
from .command import Hardware, MachinePaths, bare_command, program
from .seed import template_files
from .template_notes import FILES, NOTE, TEMPLATES, DamagedTemplateError, read_note, templates_here

MAKING = ".making-"
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Template:
    """A template's files in ``directory``, ready for use.

    private_mb  private memory of a clone in MiB, guest and QEMU together; 0 before the first measurement
    """

    key: str
    directory: str
    private_mb: int = 0

    @property
    def memory(self) -> str:
        return f"{self.directory}/memory"

    @property
    def state(self) -> str:
        return f"{self.directory}/state"

    @property
    def disk(self) -> str:
        return f"{self.directory}/disk.qcow2"


def template_fingerprint(hardware: Hardware) -> dict:
    """Return everything on which a guest's memory and devices depend. Equal fingerprints mean equal templates. Raises HostError without QEMU."""
    command = bare_command(replace(hardware, translation_mb=0), "template", 0, MachinePaths("", ""))
    recipe = hashlib.sha256(json.dumps([command, {path: file.text for path, file in template_files().items()}]).encode()).hexdigest()
    return {
        "image": hardware.image.digest, "image_name": hardware.image.name, "architecture": hardware.image.architecture, "memory_mb": hardware.memory_mb,
        "cpus": hardware.cpus, "disk_mb": hardware.disk_mb, "acceleration": hardware.acceleration, "qemu": _version(program(hardware.image.architecture)),
        "processor": _processor(), "recipe": recipe,
    }


def template_key(fingerprint: dict) -> str:
    """Return thirty-two hexadecimal digits that identify the fingerprint."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:32]


def is_there(key: str) -> bool:
    """Return whether this host has the template."""
    return os.path.exists(f"{TEMPLATES}/{key}/{NOTE}")


def take(key: str, paths: ExperimentPaths) -> Template | None:
    """Return the experiment's own copy of a template, checked since the host's boot. Return None when there is no such template.

    A damaged template is removed, and counts as none.

    Raises HostError when it cannot be copied.
    """
    mine, proven = f"{paths.directory}/templates/{key}", f"{paths.run}/template-{key}"
    if not os.path.exists(proven):
        shutil.rmtree(mine, ignore_errors=True)
        try:
            note = read_note(key)
            os.makedirs(mine, mode=0o700)
            for name in FILES:
                if _copy(f"{TEMPLATES}/{key}/{name}", f"{mine}/{name}") != note["files"].get(name):
                    raise DamagedTemplateError(f"{TEMPLATES}/{key}/{name} is damaged")
        except (FileNotFoundError, DamagedTemplateError):
            shutil.rmtree(mine, ignore_errors=True)
            remove(key)
            return None
        except OSError as exc:
            shutil.rmtree(mine, ignore_errors=True)
            raise HostError(f"template {key} cannot be copied to {mine}: {why(exc, mine)}") from exc
        os.utime(f"{TEMPLATES}/{key}/{NOTE}")
        write_atomically(proven, "")
    return Template(key, mine, private_mb(key))


def keep(key: str, fingerprint: dict, making: str, seconds: float) -> None:
    """Make a template of the files in ``making``, which is renamed to its directory. Raises HostError."""
    try:
        _dig_holes(f"{making}/memory")
        note = {"fingerprint": fingerprint, "files": {name: _digest(f"{making}/{name}") for name in FILES}, "seconds": round(seconds, 1)}
        for entry in list(os.scandir(making)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            elif entry.name not in FILES:
                os.unlink(entry.path)
        for name in FILES:
            os.chmod(f"{making}/{name}", 0o600)
            with open(f"{making}/{name}", "rb") as stream:
                os.fsync(stream.fileno())
        write_atomically(f"{making}/{NOTE}", json.dumps(note, indent=1))
        remove(key)
        os.rename(making, f"{TEMPLATES}/{key}")
    except OSError as exc:
        raise HostError(f"template {key} cannot be kept: {why(exc, making)}") from exc


def shrink(limit_mb: int, dry_run: bool = False) -> list[str]:
    """Remove the least recently used templates until the rest take at most ``limit_mb`` MiB. Return the changes as text."""
    changes, total = [], 0
    for template in templates_here():
        total += template["size_mb"]
        if total > limit_mb:
            total -= template["size_mb"]
            if not dry_run:
                remove(template["key"])
            changes.append(f"template of {template['image_name']} with {template['memory_mb']} MiB ({template['key']}, {template['size_mb']} MiB): removed")
    return changes


def remove(key: str) -> None:
    """Remove a template. Its copies are independent of it, see above."""
    remove_file(f"{TEMPLATES}/{key}/{NOTE}")
    shutil.rmtree(f"{TEMPLATES}/{key}", ignore_errors=True)


def private_mb(key: str) -> int:
    """Return ``Template.private_mb``."""
    try:
        return int(read_note(key).get("private_mb", 0))
    except (FileNotFoundError, DamagedTemplateError, TypeError, ValueError):
        return 0


def remember_private(key: str, measured_mb: int) -> None:
    """Note the private memory of a clone, if it is more than was known."""
    try:
        note = read_note(key)
        if measured_mb > note.get("private_mb", 0):
            used = os.stat(f"{TEMPLATES}/{key}/{NOTE}")
            write_atomically(f"{TEMPLATES}/{key}/{NOTE}", json.dumps({**note, "private_mb": measured_mb}, indent=1))
            os.utime(f"{TEMPLATES}/{key}/{NOTE}", ns=(used.st_atime_ns, used.st_mtime_ns))
    except (FileNotFoundError, DamagedTemplateError):
        pass  # it has been removed


@contextmanager
def making_lock(key: str, go_on: Callable[[], None]) -> Iterator[None]:
    """Keep others from making this template, on this host or on another that has the same directory.

    Waits without a timeout, unless ``go_on``, which is called regularly, raises an exception.
    """
    path, fd = f"{TEMPLATES}/.lock-{key}", None
    while fd is None:
        os.makedirs(TEMPLATES, mode=0o700, exist_ok=True)
        os.chmod(TEMPLATES, 0o700)  # an older version may have made it
        fd = try_lock(path)
        if fd is None:
            go_on()
            time.sleep(0.1)
    try:
        yield
    finally:
        remove_file(path)
        os.close(fd)


def _copy(source: str, target: str) -> str:
    """Copy a file with its holes. Return the digest of the copied content."""
    content = hashlib.sha256()
    with open(source, "rb", buffering=0) as stream, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as copy:
        size = os.fstat(stream.fileno()).st_size
        content.update(size.to_bytes(8, "big"))
        copy.truncate(size)
        for offset, block in _blocks(stream.fileno()):
            content.update(offset.to_bytes(8, "big") + block)
            os.pwrite(copy.fileno(), block, offset)
    return content.hexdigest()


def _digest(path: str) -> str:
    """Return a digest of the content, which does not depend on how zeros are stored."""
    content = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        content.update(os.fstat(stream.fileno()).st_size.to_bytes(8, "big"))
        for offset, block in _blocks(stream.fileno()):
            content.update(offset.to_bytes(8, "big") + block)
    return content.hexdigest()


def _blocks(fd: int) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, content) of every block that is not all zeros."""
    zeros, offset = bytes(_BLOCK), 0
    while True:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # there is no more data
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        for position in range(start // _BLOCK * _BLOCK, end, _BLOCK):
            block = os.pread(fd, _BLOCK, position)
            if block != zeros[:len(block)]:
                yield position, block
        offset = -(-end // _BLOCK) * _BLOCK


def _dig_holes(path: str) -> None:
    """Turn the file's zeros into holes."""
    done = subprocess.run(["fallocate", "--dig-holes", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"fallocate --dig-holes {path}: {done.stderr.strip()}")


def _version(qemu: str) -> str:
    try:
        return subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as exc:
        raise HostError(f"{qemu} cannot be run on this host: the role deter.benito.qemu_host installs it") from exc


def _processor() -> str:
    """Return a digest of the host's processor, as far as a guest can see it."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
        first = stream.read().split("\n\n")[0]
    visible = [line for line in first.splitlines() if line.split("\t")[0] in ("vendor_id", "model name", "flags")]
    return hashlib.sha256("\n".join(visible).encode()).hexdigest()[:16]
