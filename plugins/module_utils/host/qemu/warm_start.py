# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A virtual machine as a clone of a warm template: QEMU goes on from the template's state, the guest is told who it is, its network cards are plugged in.

Nothing of this is for later starts: the node's disk has its identity, and its unit boots it from there. clone_agent.py is the other end, inside.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tarfile
import time
import uuid
from typing import BinaryIO

from ...errors import HostError
from ..base.paths import remove_file, write_atomically
from .command import Card, Hardware, MachinePaths, incoming_args, start_args
from .qmp import Qmp, connect
from .taps import open_tap
from .template_making import STATE_LIMIT_S, X_IGNORE_SHARED
from .templates import Template

_LIMIT_S, _SETTLE_S = 60.0, 1.0
_ENTROPY = 64  # bytes
_CLOCK_TRIES, _CLOCK_S = 5, 1.0


def prepare_clone(template: Template, hardware: Hardware, where: MachinePaths) -> None:
    """Have a disk like the template's, and its memory for the next start of the node's unit."""
    disk = f"{where.directory}/disk.qcow2"
    write_atomically(where.waking, "")
    shutil.copyfile(template.disk, f"{disk}.new")
    os.rename(f"{disk}.new", disk)
    write_atomically(where.start, start_args(incoming_args(hardware, template.memory)))


def wake(template: Template, where: MachinePaths, cards: list[Card]) -> None:
    """Make the QEMU that waits there this node. Its unit has just been started. Raises HostError; then it is good for nothing."""
    with Qmp(f"{where.sockets}/qmp") as qmp, connect(where.identity, _LIMIT_S) as identity, open(template.state, "rb") as state:
        qmp.execute("migrate-set-capabilities", capabilities=[X_IGNORE_SHARED])
        qmp.execute("getfd", descriptor=state.fileno(), fdname="state")
        qmp.execute("migrate-incoming", uri="fd:state")
        qmp.migrated(STATE_LIMIT_S)
        qmp.execute("cont")  # the template was stopped, and so is its clone
        _plug(qmp, cards)
        _tell(identity, f"{where.directory}/seed.tar", len(cards))
    os.unlink(where.waking)


def settle(where: MachinePaths, delay_s: float) -> None:
    """Let a clone do what could wait, in ``delay_s`` seconds. It does so by itself after a while, should it not hear this."""
    try:
        with connect(where.identity, _SETTLE_S) as identity:
            identity.sendall(f"{delay_s}\n".encode())
    except (HostError, OSError):
        pass


def forget_clone(where: MachinePaths) -> None:
    """Have nothing of a clone that was not finished; its QEMU is stopped."""
    for path in (f"{where.directory}/disk.qcow2", where.start, where.waking):  # the mark last
        remove_file(path)


def _tell(identity: socket.socket, seed: str, cards: int) -> None:
    """Time, randomness and files. The time is sent again while there and back takes longer than a second; half of it was the way there, more or less."""
    answers = identity.makefile("rb")
    for _attempt in range(_CLOCK_TRIES):
        began = time.monotonic()
        _send(identity, {"time_ns": time.time_ns(), "entropy": os.urandom(_ENTROPY).hex()})
        _expect(answers, b"set")
        took = time.monotonic() - began
        if took < _CLOCK_S:
            break
    content = json.dumps(listed(seed)).encode()
    _send(identity, {"length": len(content), "boot_id": str(uuid.uuid4()), "late_ns": int(took * 5e8), "cards": cards}, content)
    _expect(answers, b"applied")


def listed(seed: str) -> list[list]:
    """The files of a seed as [path, kind, mode, text or target] each, in their order: what ``waking.write`` takes."""
    found = []
    with tarfile.open(seed) as archive:
        for entry in archive:
            kind = "folder" if entry.isdir() else "link" if entry.issym() else "file"
            content = archive.extractfile(entry) if kind == "file" else None
            found.append([entry.name, kind, entry.mode, entry.linkname if kind == "link" else content.read().decode() if content else ""])
    return found


def _send(identity: socket.socket, order: dict, content: bytes = b"") -> None:
    try:
        identity.sendall(json.dumps(order).encode() + b"\n" + content)
    except OSError as exc:
        raise HostError(f"the clone does not listen: {exc}") from exc


def _expect(answers: BinaryIO, wanted: bytes) -> None:
    try:
        found = answers.readline(4096).strip()
    except OSError as exc:
        raise HostError(f"the clone has not answered within {_LIMIT_S:.0f} s") from exc
    if found != wanted:
        raise HostError(f"the clone says {found.decode(errors='replace')!r} where {wanted.decode()!r} was due" if found else "the clone has ended")


def _plug(qmp: Qmp, cards: list[Card]) -> None:
    """Function 0 of each slot last: it is what tells the guest of them all."""
    for card in sorted(cards, key=lambda card: (card.slot, -card.number)):
        tap = open_tap(card.port)
        try:
            qmp.execute("getfd", descriptor=tap, fdname=card.identifier)
        finally:
            os.close(tap)
        qmp.execute("netdev_add", type="tap", id=card.identifier, fd=card.identifier, vhost=False)
        qmp.execute("device_add", id=f"card{card.number}", **_typed(card.device))


def _typed(properties: dict[str, str]) -> dict:
    """As QMP has them: numbers and truth as such."""
    return {name: value == "on" if value in ("on", "off") else int(value) if name == "host_mtu" else value for name, value in properties.items()}
