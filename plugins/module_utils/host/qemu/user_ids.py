# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user id of each QEMU on this host. No two have the same one, so that none can signal, trace or exhaust another.

    1879048192 to 1895825407  QEMU of a qemu node
    1895825408 to 1912602623  QEMU that makes a warm template

A system with systemd leaves these ids unused (systemd.io/UIDS-GIDS). They are far from those of openvz nodes, 100000 to 165535. The users have
no name and own no file: QEMU opens its files before it becomes its user.

The file ``user_ids.json`` in an experiment's directory holds the ids of its nodes, {node: id}. So a node keeps its id over reruns and reboots, and
releases it when it is removed.
"""

from __future__ import annotations

import glob
import json
import os
import zlib
from collections.abc import Callable

from ...errors import HostError
from ..base.locks import machine_lock
from ..base.paths import ExperimentPaths, experiments_here, read_json, remove_file, write_atomically
from .templates import MAKING, TEMPLATES, making_lock

NODES = range(0x70000000, 0x71000000)
TEMPLATE_IDS = range(0x71000000, 0x72000000)
_NOTE = "user"
_SUBORDINATE = ("/etc/subuid", "/etc/subgid")


def allot_user_ids(paths: ExperimentPaths, names: list[str]) -> dict[str, int]:
    """Return {node: user id} of these qemu nodes, which are all of the experiment here. Ids of other nodes are released.

    Raises HostError when a record is damaged or no id is free.
    """
    with machine_lock():
        before = _read(paths)
        found = {name: before[name] for name in names if name in before}
        missing = [name for name in names if name not in found]
        if missing:
            taken = {user for name in experiments_here() if name != paths.experiment for user in _read(ExperimentPaths(name)).values()}
            taken |= set(found.values()) | _ids_of_processes()
            for name in missing:
                found[name] = _free(NODES, f"{paths.experiment}:{name}", taken)
                taken.add(found[name])
        if found != before:
            write_atomically(_record(paths), json.dumps(found) + "\n")
        return found


def release_user_ids(paths: ExperimentPaths) -> None:
    """Release the ids of all nodes. Their QEMUs have ended."""
    remove_file(_record(paths))


def template_user_id(making: str, go_on: Callable[[], None]) -> int:
    """Return the user id of the QEMU that makes a template in the directory ``making``, and note it there. It is free again when the directory is removed.

    go_on  see making_lock; the lock also keeps away other hosts that have the same directory of templates
    Raises HostError when no id is free.
    """
    with making_lock("users", go_on):
        taken = _ids_of_processes()
        for path in glob.glob(f"{glob.escape(TEMPLATES)}/{MAKING}*/{_NOTE}"):
            taken.add(_number(path))
        user = _free(TEMPLATE_IDS, making, taken)
        write_atomically(f"{making}/{_NOTE}", f"{user}\n")
        return user


def _number(path: str) -> int:
    """Return the number in a file, or -1 for a file that is gone or damaged, as an interrupted run leaves it."""
    try:
        with open(path, encoding="ascii") as stream:
            return int(stream.read(20))
    except (FileNotFoundError, ValueError):
        return -1


def _record(paths: ExperimentPaths) -> str:
    return f"{paths.directory}/user_ids.json"


def _read(paths: ExperimentPaths) -> dict[str, int]:
    """Return the recorded ids of an experiment. Raises HostError when the record is damaged."""
    path = _record(paths)
    found = read_json(path, {})
    wrong = [name for name, user in found.items() if not isinstance(user, int) or user not in NODES]
    if wrong or len(set(found.values())) != len(found):
        what = f"{wrong[0]} has no id from {NODES[0]} to {NODES[-1]}" if wrong else "two nodes have the same id"
        raise HostError(f"{path} is damaged: {what}. Swap {paths.experiment} out")
    return found


def _free(within: range, name: str, taken: set[int]) -> int:
    """Return a free id, the same for the same name if possible. Hosts that share a kernel then rarely choose the same."""
    first, subordinate = zlib.crc32(name.encode()) % len(within), _subordinate_ids()
    number = 0
    while number < len(within):
        user = within[(first + number) % len(within)]
        skipped = next((ids for ids in subordinate if user in ids), None)
        if skipped is not None:
            number += min(skipped.stop, within.stop) - user
        elif user in taken or _has_name(user):
            number += 1
        else:
            return user
    raise HostError(f"no user id from {within[0]} to {within[-1]} is free on this host for the QEMU of {name}: look into {' and '.join(_SUBORDINATE)}")


def _subordinate_ids() -> list[range]:
    """Return the ranges of ids that users of this host may use in user namespaces."""
    found = []
    for path in _SUBORDINATE:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                fields = [line.strip().split(":") for line in stream]
        except FileNotFoundError:
            continue
        found += [range(int(first), int(first) + int(count)) for _user, first, count in (line for line in fields if len(line) == 3)
                  if first.isdecimal() and count.isdecimal()]
    return found


def _has_name(user: int) -> bool:
    """Return whether this host has a user or group with that id."""
    import grp
    import pwd

    for look in (pwd.getpwuid, grp.getgrgid):
        try:
            look(user)
            return True
        except KeyError:
            pass
    return False


def _ids_of_processes() -> set[int]:
    """Return the user ids under which processes run: earlier versions of benito-host recorded none."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                found.add(os.stat(f"/proc/{name}").st_uid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended
    return found
