# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a virtual machine as a clone of a warm template.

QEMU continues from the template's state, the network cards are plugged in, and the guest gets its identity. Later starts do not need this: the
node's disk has its identity, and its unit boots from the disk. clone_agent.py is the other end, in the guest.
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

from ...clean_text import clean_line
from ...errors import HostError
from ..base.paths import remove_file, write_atomically
from ..net.tap import open_tap
from .command import Card, Hardware, MachinePaths, incoming_args, start_args
from .qmp import Qmp, connect
from .template_making import STATE_LIMIT_S, X_IGNORE_SHARED
from .templates import Template

_LIMIT_S, _SETTLE_S = 60.0, 1.0
_ENTROPY = 64  # bytes
_WIDTH = 200  # of a wrong answer in a message
_CLOCK_TRIES, _CLOCK_S = 5, 1.0


def prepare_clone(template: Template, hardware: Hardware, where: MachinePaths) -> None:
    """Copy the template's disk, and prepare the next start of the node's unit with the template's memory."""
    disk = f"{where.directory}/disk.qcow2"
    write_atomically(where.unfinished, "")
    shutil.copyfile(template.disk, f"{disk}.new")
    os.rename(f"{disk}.new", disk)
    write_atomically(where.start, start_args(incoming_args(hardware, template.memory)))


def make_clone(template: Template, where: MachinePaths, cards: list[Card]) -> None:
    """Turn the waiting QEMU, whose unit has just been started, into this node. Raises HostError; then the clone cannot be used."""
    with Qmp(f"{where.sockets}/qmp") as qmp, connect(where.identity, _LIMIT_S) as identity, open(template.state, "rb") as state:
        qmp.execute("migrate-set-capabilities", capabilities=[X_IGNORE_SHARED])
        qmp.execute("getfd", descriptor=state.fileno(), fdname="state")
        qmp.execute("migrate-incoming", uri="fd:state")
        qmp.migrated(STATE_LIMIT_S)
        qmp.execute("cont")  # the template was saved while stopped, so the clone is stopped, too
        _plug(qmp, cards)
        _send_identity(identity, f"{where.directory}/seed.tar", len(cards))
    os.unlink(where.unfinished)


def settle(where: MachinePaths, delay_s: float) -> None:
    """Tell a clone to do its deferred work in ``delay_s`` seconds. Without this message it does so by itself after a timeout."""
    try:
        with connect(where.identity, _SETTLE_S) as identity:
            identity.sendall(f"{delay_s}\n".encode())
    except (HostError, OSError):
        pass


def forget_clone(where: MachinePaths) -> None:
    """Remove the files of an unfinished clone, whose QEMU is stopped."""
    for path in (f"{where.directory}/disk.qcow2", where.start, where.unfinished):  # the mark last
        remove_file(path)


def _send_identity(identity: socket.socket, seed: str, cards: int) -> None:
    """Send time, randomness and files. The time is sent again while a round trip takes more than a second. Half a round trip is the time's delay."""
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
    """Return the files of a seed in their order, as [path, kind, mode, text or target]: the argument of ``clone_agent.write``."""
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
        raise HostError(f"the clone cannot be reached: {exc}") from exc


def _expect(answers: BinaryIO, wanted: bytes) -> None:
    try:
        found = answers.readline(4096).strip()
    except OSError as exc:
        raise HostError(f"the clone did not answer within {_LIMIT_S:.0f} s") from exc
    if found != wanted:
        answer = clean_line(found.decode(errors="replace"), _WIDTH)
        raise HostError(f"the clone answered {answer!r} instead of {wanted.decode()!r}" if found else "the clone has ended")


def _plug(qmp: Qmp, cards: list[Card]) -> None:
    """Plug in the network cards, function 0 of each slot last: it makes the guest look at all functions."""
    for card in sorted(cards, key=lambda card: (card.slot, -card.number)):
        tap = open_tap(card.port)
        try:
            qmp.execute("getfd", descriptor=tap, fdname=card.identifier)
        finally:
            os.close(tap)
        qmp.execute("netdev_add", type="tap", id=card.identifier, fd=card.identifier, vhost=False)
        qmp.execute("device_add", id=f"card{card.number}", **_typed(card.device))


def _typed(properties: dict[str, str]) -> dict:
    """Convert properties to the types of QMP: numbers and booleans."""
    return {name: value == "on" if value in ("on", "off") else int(value) if name == "host_mtu" else value for name, value in properties.items()}
