# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the whole machine that no pnode can set from inside. They are raised while any testbed is up.

Several testbeds of several users may be up. One file under /run holds the original values and the testbeds that still need the
raised ones. Like the values themselves, it does not outlive a reboot.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator

from ..errors import HostError
from ..files import locked, read_text, write_text

DIRECTORY = "/run/deter.benito"

WANTED = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.neigh.default.gc_thresh1": 65536,
    "net.ipv4.neigh.default.gc_thresh2": 524288,
    "net.ipv4.neigh.default.gc_thresh3": 1048576,
    "net.ipv6.neigh.default.gc_thresh1": 65536,
    "net.ipv6.neigh.default.gc_thresh2": 524288,
    "net.ipv6.neigh.default.gc_thresh3": 1048576,
    "net.core.netdev_max_backlog": 10000,
    "fs.inotify.max_user_instances": 8192,
    "fs.inotify.max_user_watches": 1048576,
    "fs.file-max": 2097152,
    "fs.nr_open": 1048576,
    "kernel.pty.max": 16384,
    "kernel.pid_max": 4194304,
    "kernel.threads-max": 131072,
    "kernel.keys.maxkeys": 10000,
    "kernel.keys.maxbytes": 1000000,
}
"""The minimum values. All network namespaces share the neighbour tables: a LAN of 1000 nodes can have a million entries."""


def too_low(current: dict[str, int], wanted: dict[str, int]) -> dict[str, int]:
    """Return the settings of ``wanted`` whose ``current`` value is lower. Settings that this kernel lacks are left out."""
    return {name: value for name, value in wanted.items() if name in current and current[name] < value}


class MachineLimits:
    """The sysctls of this machine, and the register of the testbeds that need them raised.

    user       the hash of the testbed's identity
    directory  of the register; proc: of the sysctls (both differ only in tests)
    """

    def __init__(self, user: str, directory: str = DIRECTORY, proc: str = "/proc/sys"):
        self.user = user
        self.directory = directory
        self.proc = proc
        self.file = os.path.join(directory, "sysctls.json")

    def missing(self) -> dict[str, int]:
        """Return the settings that ``join`` would raise, {name: value}. If it is empty and the testbed is registered, nothing has to be done."""
        return too_low(self._current(WANTED), WANTED)

    def joined(self) -> bool:
        """Return whether this testbed is registered."""
        return self.user in self._register()["users"]

    def join(self, owner: str) -> None:
        """Raise the settings that are too low, and register this testbed.

        owner  the testbed's path, for people who read the register
        """
        with self._locked():
            register = self._register()
            low = self.missing()
            for name, value in low.items():
                for disturbed in (name, *self._disturbed_by(name)):
                    register["before"].setdefault(disturbed, self._read(disturbed))
                register["set"][name] = value
            register["users"][self.user] = owner
            write_text(self.file, json.dumps(register, indent=1) + "\n", 0o600)
            for name, value in low.items():
                self._write(name, value)

    def leave(self) -> tuple[str, ...]:
        """Unregister this testbed. The last testbed restores all settings. Return the settings that another program has changed, which stay."""
        if not os.path.exists(self.file):
            return ()
        with self._locked():
            register = self._register()
            register["users"].pop(self.user, None)
            if register["users"]:
                write_text(self.file, json.dumps(register, indent=1) + "\n", 0o600)
                return ()
            changed = tuple(name for name, value in register["set"].items() if self._read(name) != value)
            for name, value in register["before"].items():
                if name not in changed:
                    self._write(name, value)
            os.unlink(self.file)
            return changed

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(os.path.join(self.directory, "sysctls.lock"), "the machine's limits", limit_s=60, remove_if=lambda: not os.path.exists(self.file)):
            yield
        if not os.path.exists(self.file):
            with contextlib.suppress(OSError):
                os.rmdir(self.directory)

    def _register(self) -> dict:
        """Return the register, or an empty one if the file is missing or older than the last reboot."""
        boot = read_text("/proc/sys/kernel/random/boot_id").strip()
        with contextlib.suppress(ValueError):
            register = json.loads(read_text(self.file, "{}"))
            if register.get("boot") == boot:
                return register
        return {"boot": boot, "before": {}, "set": {}, "users": {}}

    def _disturbed_by(self, name: str) -> tuple[str, ...]:
        """Return the settings that the kernel changes when ip_forward is written, and does not restore by itself."""
        if name != "net.ipv4.ip_forward":
            return ()
        interfaces = os.path.join(self.proc, "net/ipv4/conf")
        forwarding = [f"net.ipv4.conf.{name}.forwarding" for name in os.listdir(interfaces) if "." not in name and name != "all"]
        return ("net.ipv4.conf.all.accept_redirects", *(name for name in forwarding if self._read(name) == 1))

    def _path(self, name: str) -> str:
        return os.path.join(self.proc, name.replace(".", "/"))

    def _read(self, name: str) -> int | None:
        text = read_text(self._path(name)).strip()
        return int(text) if text else None

    def _current(self, names: Iterable[str]) -> dict[str, int]:
        values = {name: self._read(name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def _write(self, name: str, value: int | None) -> None:
        if value is None:
            return
        try:
            with open(self._path(name), "w", encoding="ascii") as stream:
                stream.write(str(value))
        except FileNotFoundError:
            pass  # the interface has gone
        except OSError as exc:
            raise HostError(f"setting sysctl {name} to {value} failed: {exc.strerror}") from exc
