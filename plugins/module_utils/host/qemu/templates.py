# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The warm templates on this host: guests that have booted, as files, for virtual machines to be cloned from.

A template is a directory ``/var/cache/benito/templates/KEY/``, which appears there whole or not at all:

    memory         the guest's memory, a sparse file
    state          the state of QEMU's devices
    disk.qcow2     what the guest wrote while it booted, a layer on its image
    template.json  its key in words, the digest of each file, what a clone of it takes

An experiment never uses these files themselves but a copy, made and proven when the experiment needs it for the first time since the
host's boot: so a damaged template is noticed, one that is removed is missed by nobody, and no experiment can change another's memory.
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
from ..base.paths import ExperimentPaths, remove_file, write_atomically
from .command import Hardware, MachinePaths, bare_command, program
from .seed import waking_files
from .template_notes import FILES, NOTE, TEMPLATES, DamagedTemplateError, read_note, templates_here

MAKING = ".making-"
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Template:
    """A template's files in ``directory``, ready for use.

    private_mb  MiB that a clone of it takes for itself, guest and QEMU together; 0 when none has been measured
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
    """Everything that decides whether a guest's memory and devices fit a QEMU: equal words, equal template. Raises HostError without QEMU."""
    command = bare_command(replace(hardware, translation_mb=0), "template", 0, MachinePaths("", ""))
    recipe = hashlib.sha256(json.dumps([command, {path: file.text for path, file in waking_files().items()}]).encode()).hexdigest()
    return {
        "image": hardware.image.digest, "image_name": hardware.image.name, "architecture": hardware.image.architecture, "memory_mb": hardware.memory_mb,
        "cpus": hardware.cpus, "disk_mb": hardware.disk_mb, "acceleration": hardware.acceleration, "qemu": _version(program(hardware.image.architecture)),
        "processor": _processor(), "recipe": recipe,
    }


def template_key(fingerprint: dict) -> str:
    """Thirty-two hexadecimal digits of the words."""
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:32]


def is_there(key: str) -> bool:
    return os.path.exists(f"{TEMPLATES}/{key}/{NOTE}")


def take(key: str, paths: ExperimentPaths) -> Template | None:
    """The experiment's own copy of a template, proven since the host's boot; None when there is no such template, or it was damaged (then it is removed).

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
            raise HostError(f"template {key} cannot be copied to {mine}: {exc.strerror}") from exc
        os.utime(f"{TEMPLATES}/{key}/{NOTE}")
        write_atomically(proven, "")
    return Template(key, mine, private_mb(key))


def keep(key: str, fingerprint: dict, making: str, seconds: float) -> None:
    """Make a template of the files in ``making``, which becomes its directory. Raises HostError."""
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
        raise HostError(f"template {key} cannot be kept: {exc.strerror}") from exc


def shrink(limit_mb: int, dry_run: bool = False) -> list[str]:
    """Remove those used longest ago until the others have at most ``limit_mb`` MiB together. Returns changes in words."""
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
    """Have no such template. What became of it stands by itself, see above."""
    remove_file(f"{TEMPLATES}/{key}/{NOTE}")
    shutil.rmtree(f"{TEMPLATES}/{key}", ignore_errors=True)


def private_mb(key: str) -> int:
    """See Template."""
    try:
        return int(read_note(key).get("private_mb", 0))
    except (FileNotFoundError, DamagedTemplateError, TypeError, ValueError):
        return 0


def remember_private(key: str, measured_mb: int) -> None:
    """Note what a clone takes, if it is more than was known."""
    try:
        note = read_note(key)
        if measured_mb > note.get("private_mb", 0):
            used = os.stat(f"{TEMPLATES}/{key}/{NOTE}")
            write_atomically(f"{TEMPLATES}/{key}/{NOTE}", json.dumps({**note, "private_mb": measured_mb}, indent=1))
            os.utime(f"{TEMPLATES}/{key}/{NOTE}", ns=(used.st_atime_ns, used.st_mtime_ns))
    except (FileNotFoundError, DamagedTemplateError):
        pass  # it was removed meanwhile


@contextmanager
def making_lock(key: str, go_on: Callable[[], None]) -> Iterator[None]:
    """Nobody else makes this template meanwhile, on this host or on another that has the same directory.

    Waits as long as that takes, unless ``go_on``, which is called now and then, raises something.
    """
    path, fd = f"{TEMPLATES}/.lock-{key}", None
    while fd is None:
        os.makedirs(TEMPLATES, mode=0o700, exist_ok=True)
        os.chmod(TEMPLATES, 0o700)  # whoever made it
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
    """Copy a file with its holes. Returns the digest of what was copied."""
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
    """Of the content, however its zeros are stored."""
    content = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        content.update(os.fstat(stream.fileno()).st_size.to_bytes(8, "big"))
        for offset, block in _blocks(stream.fileno()):
            content.update(offset.to_bytes(8, "big") + block)
    return content.hexdigest()


def _blocks(fd: int) -> Iterator[tuple[int, bytes]]:
    """(offset, content) of every block that is not all zeros."""
    zeros, offset = bytes(_BLOCK), 0
    while True:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # no data after that
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        for position in range(start // _BLOCK * _BLOCK, end, _BLOCK):
            block = os.pread(fd, _BLOCK, position)
            if block != zeros[:len(block)]:
                yield position, block
        offset = -(-end // _BLOCK) * _BLOCK


def _dig_holes(path: str) -> None:
    """Give back what the file has of zeros."""
    done = subprocess.run(["fallocate", "--dig-holes", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"fallocate --dig-holes {path}: {done.stderr.strip()}")


def _version(qemu: str) -> str:
    try:
        return subprocess.run([qemu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as exc:
        raise HostError(f"{qemu} cannot be run on this host: the role deter.benito.qemu_host installs it") from exc


def _processor() -> str:
    """The host's processor, as far as a guest could tell it from another."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
        first = stream.read().split("\n\n")[0]
    told = [line for line in first.splitlines() if line.split("\t")[0] in ("vendor_id", "model name", "flags")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
