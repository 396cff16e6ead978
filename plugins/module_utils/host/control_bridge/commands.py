# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``benito-host control-bridge``: put the interface that carries SSH into the bridge control0, and give it back.

``up`` arms the roll-back, then makes the change in a way that a reboot forgets. ``confirm``, over a new connection, disarms the roll-back and makes
the change permanent. ``down`` counts an experiment out; after the last one everything is as it was.
managers.py has the network managers; docs/control-bridge.md explains all of it for operators.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal

from ...errors import HostError
from . import state
from .device import BRIDGE, bring_back, find_interface, is_bridge, mac_of, master_of, members, refuse_unless_plain, tune
from .link_config import LinkConfig, index_of, write_settings
from .managers import in_charge, manager
from .state import CONFIRMED, PENDING, Record

DEFAULT_TIMEOUT = 60


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add its commands to benito-host's ``control-bridge``."""
    commands = parser.add_subparsers(dest="control_bridge_command", required=True, metavar="COMMAND")
    up_parser = commands.add_parser("up", help="put the control interface into control0; undone after a time unless confirmed")
    up_parser.add_argument("--interface", default="", help="the control interface; default: the one that carries this SSH connection")
    up_parser.add_argument("--timeout", type=int, default=DEFAULT_TIMEOUT, metavar="SECONDS", help="time to confirm (default: %(default)s)")
    down_parser = commands.add_parser("down", help="count an experiment out; after the last one the interface is as it was")
    confirm_parser = commands.add_parser("confirm", help="the host was reached again: keep control0, also over boots")
    for one, handler in ((up_parser, up), (confirm_parser, confirm), (down_parser, down)):
        one.add_argument("--user", default="", metavar="PID.EID", help="the experiment that uses control0")
        one.add_argument("--check", action="store_true", help="only tell what would change")
        one.set_defaults(func=handler)
    commands.add_parser("rollback", help="undo a change that was not confirmed").set_defaults(func=rollback)
    boot_parser = commands.add_parser("boot", help="bring a confirmed control0 up again where no network manager does")
    boot_parser.add_argument("--leave", action="store_true", help="give the interface back for now")
    boot_parser.set_defaults(func=boot)
    commands.add_parser("status", help="what there is").set_defaults(func=status)


def up(args: argparse.Namespace) -> dict:
    """Put the control interface into control0, or count one more user of it.

    Raises HostError when the arrangement is not understood (nothing is changed) or the change fails (it is undone).
    """
    user = state.check_user(args.user)
    if args.timeout < 1:
        raise HostError("the time to confirm must be at least one second")
    with state.lock():
        before, found = _text(), state.load(PENDING) or state.load(CONFIRMED)
        users = state.users()
        if found and (found.leaving or not is_bridge()):  # 'down' was interrupted, or somebody deleted control0: begin anew
            if args.check:
                return _result(True, before, _text(dataclasses.replace(found, leaving=False)))
            _restore(found, found.carried())
            found = None
        if found and args.interface not in ("", found.interface):
            raise HostError(f"{BRIDGE} is already over {found.interface}, not over {args.interface}")
        if found and _stands(found):
            changed = bool(user) and user not in state.users() and not state.load(PENDING)  # a user of a pending change is counted when it is confirmed
            if changed and not args.check:
                state.add_user(user)
            return _result(changed, before, _text(found, user) if args.check else None)
        record = dataclasses.replace(found, user=user) if found else _prepare(args.interface, user)
        if not args.check:
            _change(record, args.timeout)
            for name in users:
                state.add_user(name)
        return _result(True, before, _text(record) if args.check else None)


def _prepare(interface: str, user: str) -> Record:
    if index_of(BRIDGE):
        raise HostError(f"this host has a device {BRIDGE} that is not ours: rename or remove it; nothing was changed")
    interface = interface or find_interface()
    refuse_unless_plain(interface)
    name = in_charge(interface)
    record = Record(interface, name, mac_of(interface), LinkConfig.of(interface).to_plain(), program=state.this_program(), user=user)
    if not record.carried().global_addresses():
        raise HostError(f"control interface {interface} has no address: nothing was changed")
    return manager(name).prepare(record)


def _change(record: Record, timeout: int) -> None:
    for ignored in (signal.SIGHUP, signal.SIGPIPE):  # the connection that runs this may break meanwhile
        signal.signal(ignored, signal.SIG_IGN)
    state.arm_rollback(record.program, timeout)
    state.save(record, PENDING)
    try:
        manager(record.manager).adopt(record)
        tune(record.interface, record.carried())
    except (HostError, OSError) as exc:
        _restore(record, record.carried())
        raise HostError(f"{BRIDGE} could not be brought up over {record.interface}: {exc} (everything was put back)") from exc


def confirm(args: argparse.Namespace) -> dict:
    """Disarm the roll-back and keep the state for boots, now that the controller is back. Raises HostError when there is nothing to confirm."""
    user = state.check_user(args.user)
    with state.lock():
        before, record = _text(), state.load(PENDING)
        if record and record.leaving:
            raise HostError(f"{BRIDGE} is being removed, there is nothing to confirm")
        if not record:
            if not state.load(CONFIRMED):
                raise HostError(f"there is no {BRIDGE} to confirm: it was not confirmed in time and so undone, or it was never brought up")
            changed = bool(user) and user not in state.users()
            if changed and not args.check:
                state.add_user(user)
            return _result(changed, before)
        if not args.check:
            if not _stands(record):
                raise HostError(f"{BRIDGE} is no longer in order over {record.interface}: the roll-back restores the interface")
            manager(record.manager).persist(record)
            state.save(record, CONFIRMED)
            for name in (record.user, user):
                state.add_user(name)
            state.disarm_rollback()
            state.forget_pending()
        return _result(True, before)


def down(args: argparse.Namespace) -> dict:
    """Count the experiment out, and remove control0 after the last one. Raises HostError when that fails."""
    user = state.check_user(args.user)
    with state.lock():
        before, record = _text(), state.load(PENDING) or state.load(CONFIRMED)
        if not record:
            return _result(False, before)
        others = [name for name in state.users() if name != user]
        if others and user not in state.users():
            return _result(False, before)
        if others:
            if not args.check:
                state.remove_user(user)
            return _result(True, before, _text(record, leaver=user) if args.check else None)
        if args.check:
            return _result(True, before, "")
        warnings = _leave(record)
        return {**_result(True, before), "warnings": warnings}


def _leave(record: Record) -> list[str]:
    for ignored in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    now = LinkConfig.of(BRIDGE) if is_bridge() else record.carried()
    now.settings = record.carried().settings
    leaving = dataclasses.replace(record, link_config=now.to_plain(), leaving=True)
    state.arm_rollback(record.program, DEFAULT_TIMEOUT)  # finishes this if the process is killed meanwhile
    state.save(leaving, PENDING)
    return _restore(leaving, now)


def rollback(_args: argparse.Namespace) -> dict:
    """Undo a change that was not confirmed, or finish what ``down`` began. Raises HostError when something is still missing."""
    with state.lock():
        before, record = _text(), state.load(PENDING)
        if not record:
            return _result(False, before)
        warnings = _restore(record, record.carried())
        return {**_result(True, before), "warnings": warnings}


def _restore(record: Record, link_config: LinkConfig) -> list[str]:
    """Restore the interface by its manager, and without it where the manager fails. Returns warnings that say so."""
    warnings = []
    try:
        manager(record.manager).release(record, link_config)
        write_settings(record.interface, link_config.settings)
    except (HostError, OSError) as exc:
        warnings = [f"{record.manager} did not restore {record.interface}, so benito-host did: {exc}"]
    if warnings or master_of(record.interface) == BRIDGE:
        bring_back(record.interface, link_config)
    state.forget_confirmed()
    state.disarm_rollback()
    state.forget_pending()
    return warnings


def boot(args: argparse.Namespace) -> dict:
    """Bring a confirmed control0 up again, or remove it for now (``--leave``), on hosts whose network manager cannot keep it."""
    with state.lock():
        record = state.load(CONFIRMED)
        if not record or state.load(PENDING):
            return {"changed": False}
        if args.leave:
            return {"changed": _step_aside(record)}
        now = LinkConfig.of(record.interface)
        if master_of(record.interface) == BRIDGE and not now.addresses:
            return {"changed": False}
        try:
            manager(record.manager).adopt(dataclasses.replace(record, link_config=now.to_plain()))
        except (HostError, OSError):
            bring_back(record.interface, now)
            raise
        return {"changed": True}


def _step_aside(record: Record) -> bool:
    if not is_bridge():
        return False
    now = LinkConfig.of(BRIDGE)
    now.settings = record.carried().settings
    bring_back(record.interface, now)
    return True


def status(_args: argparse.Namespace) -> dict:
    """Return what there is, and whether it is as remembered."""
    return {"changed": False, **_facts()}


def _stands(record: Record) -> bool:
    """Return whether control0 is as the record says and, once confirmed, kept for boots."""
    if not is_bridge() or members().count(record.interface) == 0 or mac_of(BRIDGE) != record.mac:
        return False
    return bool(state.load(PENDING)) or manager(record.manager).is_kept(record)


def _facts() -> dict:
    pending, confirmed = state.load(PENDING), state.load(CONFIRMED)
    record = pending or confirmed
    if not record:
        return {"state": "foreign" if index_of(BRIDGE) else "absent", "pending": False, "users": []}
    name = "leaving" if record.leaving else "pending" if pending else "confirmed"
    return {"state": name, "pending": bool(pending) and not record.leaving, "interface": record.interface, "manager": record.manager,
            "mac_address": record.mac, "users": state.users(), "stands": _stands(record), "carries": LinkConfig.of(BRIDGE).describe() if is_bridge() else [],
            "files": sorted(record.files)}


def _text(record: Record | None = None, user: str = "", leaver: str = "") -> str:
    """Return the state in lines, for ``--diff``: as it is, or as it would be with ``record`` in force."""
    facts = _facts()
    if record:
        users = sorted({*facts["users"], user} - {"", leaver})
        carries = facts.get("carries") or record.carried().describe()
        name = "confirmed" if state.load(CONFIRMED) else "pending"
        facts = {"state": name, "interface": record.interface, "manager": record.manager, "users": users, "carries": carries, "files": sorted(record.files)}
    if facts["state"] in ("absent", "foreign"):
        return ""
    note = ", not confirmed yet" if facts["state"] == "pending" else ""
    lines = [f"{BRIDGE} over {facts['interface']}, kept by {facts['manager']}{note}"]
    for title in ("carries", "files", "users"):
        lines += [f"{title}: {item}" for item in facts[title]]
    return "\n".join(lines) + "\n"


def _result(changed: bool, before: str, after: str | None = None) -> dict:
    after = _text() if after is None else after
    old, new = before.splitlines(), after.splitlines()
    changes = [f"{line}: gone" for line in old if line not in new] + [line for line in new if line not in old]
    return {"changed": changed, **_facts(), "changes": changes if changed else [], "diff": {"before": before, "after": after}}
