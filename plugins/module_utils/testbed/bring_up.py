# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bring-up of a local testbed, as a list of changes from its present to its wanted state."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ..commands import run
from ..files import read_text, write_text
from ..host.guest.resolver import resolv_conf
from ..hostplan import HostPlan, ImagePlan
from . import files, network
from .addresses import Subnets, choose_subnets
from .base import BaseCache, Recipe
from .firewall import Firewall, legacy_iptables_warning
from .machines import Images, Machines, Size
from .managers import Managers
from .names import Identity, Paths
from .pnodes import Pnodes, in_parallel
from .sysctls import MachineLimits


@dataclass(frozen=True)
class Change:
    """One change: its description, and the function that makes it."""

    what: str
    do: Callable[[], object] = field(repr=False)


class Testbed(Protocol):
    """The part of a LocalTestbed that its bring-up uses."""

    identity: Identity
    paths: Paths
    backend: str
    release: str
    size: Size
    bases: BaseCache
    images: Images
    limits: MachineLimits

    def state(self) -> dict: ...
    def subnets(self) -> Subnets | None: ...
    def base_recipe(self) -> Recipe: ...
    def base_key(self, recipe: Recipe) -> str: ...
    def image(self) -> ImagePlan: ...
    def containers(self, subnets: Subnets) -> Pnodes: ...
    def machines(self, subnets: Subnets) -> Machines: ...


class BringUp:
    """One run of ``up`` of a local testbed whose pnodes are containers. It holds the present and wanted state, and the changes in order."""

    emulated = False

    def __init__(self, testbed: Testbed, wanted: Iterable[str]):
        self.testbed = testbed
        self.identity = testbed.identity
        self.paths = testbed.paths
        self.wanted = tuple(wanted)
        self.resolv_conf = resolv_conf()
        self.subnets = testbed.subnets() or choose_subnets(network.taken_networks(self.resolv_conf), start=int.from_bytes(self.identity.id.encode(), "big"))
        self.base = testbed.base_key(testbed.base_recipe())
        self.bridges = network.Bridges(self.identity, self.subnets)
        self.firewall = Firewall(self.identity, self.subnets)
        self.managers = Managers(self.identity)
        self.containers = testbed.containers(self.subnets)
        self.states = self._states()
        self.boot_warnings: list[str] = []

    def changes(self) -> list[Change]:
        """Return the changes, in the order in which they have to be made."""
        return [*self._decide(), *self._limit(), *self._connect(), *self._drop(), *self._make(), *self._list(), *self._start()]

    def describe(self) -> str:
        """Return the wanted state as text, for --diff."""
        rows = [f"pnode {name} running {self.subnets.control_address(i)} {self.subnets.experiment_address(i)}" for i, name in enumerate(self.wanted)]
        links = [f"link {name}" for name in (self.identity.control_bridge, self.identity.experiment_bridge)]
        head = (f"control {self.subnets.control}", f"experiment {self.subnets.experiment}")
        lines = (*head, *rows, *links, "firewall table", f"inventory {self.paths.inventory}")
        return "".join(line + "\n" for line in lines)

    def warnings(self) -> tuple[str, ...]:
        """Return warnings for the user, although nothing failed."""
        lines: list[str] = []
        if not self.resolv_conf:
            lines.append("this machine's name servers are on its loopback, where pnodes cannot reach them: pnodes will not resolve names")
        if legacy_iptables_warning():
            lines.append(legacy_iptables_warning())
        for name in self._surplus():
            found = self._experiments(name)
            if found:
                lines.append(f"{name} is removed, with its part of {', '.join(found)}")
        return tuple(lines)

    def _states(self) -> dict[str, str]:
        return self.containers.states()

    def _experiments(self, pnode: str) -> tuple[str, ...]:
        return self.containers.experiments(pnode)

    def _surplus(self) -> tuple[str, ...]:
        return tuple(name for name in (*self.states, *self.containers.half_made()) if name not in self.wanted)

    def _decide(self) -> list[Change]:
        state = self._state()
        changes = []
        if state != self.testbed.state():
            changes.append(Change(f"take {self.subnets.control} for control and {self.subnets.experiment} for experiments", lambda: self._write_state(state)))
        if not os.path.exists(self.paths.key + ".pub"):
            changes.append(Change(f"make the SSH key {self.paths.key}", self._make_key))
        return changes

    def _state(self) -> dict:
        """Return the choices that are made once for the testbed."""
        return {"version": 1, "control": self.subnets.control, "experiment": self.subnets.experiment, "base": self.base, "release": self.testbed.release}

    def _write_state(self, state: dict) -> None:
        os.makedirs(self.paths.root, 0o700, exist_ok=True)
        write_text(self.paths.state, json.dumps(state, indent=1) + "\n", 0o600)

    def _make_key(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.paths.key)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.identity.mark, "-f", self.paths.key)

    def _limit(self) -> list[Change]:
        low = self.testbed.limits.missing()
        if not low and self.testbed.limits.joined():
            return []
        names = ", ".join(low) or "none is too low"
        return [Change(f"raise the machine's limits ({names})", lambda: self.testbed.limits.join(self.paths.root))]

    def _connect(self) -> list[Change]:
        changes = [] if self.managers.are_off() else [Change("keep network managers off the testbed's devices", self._keep_managers_off)]
        changes += [Change(f"make bridge {name}", partial(self.bridges.make, name)) for name in self.bridges.missing()]
        if not self.firewall.is_up():
            changes.append(Change(f"make firewall table {self.identity.firewall_table}", self.firewall.up))
        return changes

    def _keep_managers_off(self) -> None:
        self.boot_warnings += self.managers.keep_off()

    def _drop(self) -> list[Change]:
        surplus = self._surplus()
        return [Change(f"remove pnodes {', '.join(surplus)}", lambda: in_parallel(self.containers.remove, surplus))] if surplus else []

    def _make(self) -> list[Change]:
        absent = [name for name in self.wanted if name not in self.states]
        if not absent:
            return []
        os_root, mtu = self.testbed.bases.root(self.base), network.uplink_mtu()
        return [Change(f"make pnodes {', '.join(absent)}",
                       lambda: in_parallel(lambda name: self.containers.make(name, os_root, mtu, self.resolv_conf), absent))]

    def _list(self) -> list[Change]:
        """Return the changes of the files that list the pnodes: known_hosts and the inventory."""
        changes = []
        made = all(name in self.states for name in self.wanted)
        if not made or self._known_hosts() != read_text(self.paths.known_hosts):
            changes.append(Change(f"write {self.paths.known_hosts}", lambda: write_text(self.paths.known_hosts, self._known_hosts(), 0o600)))
        inventory = files.render_inventory(self.identity, self.paths, self.subnets, self.wanted, self.emulated)
        if inventory != read_text(self.paths.inventory):
            changes.append(Change(f"write {self.paths.inventory}", lambda: write_text(self.paths.inventory, inventory)))
        return changes

    def _known_hosts(self) -> str:
        return self.containers.known_hosts(self.wanted)

    def _start(self) -> list[Change]:
        idle = [name for name in self.wanted if self.states.get(name) != "running"]
        return [Change(f"start pnodes {', '.join(idle)}", lambda: self._boot(idle))] if idle else []

    def _boot(self, names: list[str]) -> None:
        in_parallel(self.containers.start, names)
        self._wait(names)

    def _wait(self, names: list[str]) -> None:
        for name, state in zip(names, in_parallel(self.containers.wait, names), strict=True):
            if state != "running":
                self.boot_warnings.append(f"{name} booted, but its systemd reports: {state}")


class BringUpMachines(BringUp):
    """One run of ``up`` of a local testbed whose pnodes are virtual machines."""

    emulated = True

    def __init__(self, testbed: Testbed, wanted: Iterable[str]):
        super().__init__(testbed, wanted)
        self.image = testbed.image()
        self.carrier = self.identity.carrier

    def _states(self) -> dict[str, str]:
        self.machines = self.testbed.machines(self.subnets)
        return self.machines.states()

    def _experiments(self, pnode: str) -> tuple[str, ...]:
        return self.machines.experiments(pnode)

    def _surplus(self) -> tuple[str, ...]:
        return tuple(name for name in self.states if name not in self.wanted)

    def _state(self) -> dict:
        return {**super()._state(), "backend": self.testbed.backend, "image": self.image.digest}

    def _drop(self) -> list[Change]:
        """Return the change that removes the files of surplus pnodes on this machine.

        The pnodes themselves are removed when the carrier gets its new plan.
        """
        surplus = self._surplus()
        return [Change(f"remove pnodes {', '.join(surplus)}", lambda: in_parallel(self.machines.forget, surplus))] if surplus else []

    def _make(self) -> list[Change]:
        changes = []
        if not self.containers.is_made(self.carrier):
            os_root, mtu = self.testbed.bases.root(self.base), network.uplink_mtu()
            changes.append(Change(f"make {self.carrier}", lambda: self.containers.make(self.carrier, os_root, mtu, self.resolv_conf)))
        absent = [name for name in self.wanted if name not in self.states]
        if absent:
            changes.append(Change(f"make pnodes {', '.join(absent)}", lambda: in_parallel(self.machines.make, absent)))
        return changes

    def _known_hosts(self) -> str:
        return self.containers.known_hosts((*self.wanted, self.carrier)) if self.containers.is_made(self.carrier) else ""

    def _start(self) -> list[Change]:
        changes = []
        if self.machines.carrier_state() != "running":
            changes.append(Change(f"start {self.carrier}", self._start_carrier))
        idle = [name for name in self.wanted if self.states.get(name) != "running"]
        if idle or not self.machines.has_plan(self._plan()):
            changes.append(Change(f"start pnodes {', '.join(idle)}" if idle else f"give {self.carrier} its plan", lambda: self._boot(idle)))
        return changes

    def _plan(self) -> HostPlan:
        return self.machines.plan(self.wanted, self.image, self.testbed.size)

    def _start_carrier(self) -> None:
        self.containers.start(self.carrier)
        self.containers.wait(self.carrier)

    def _boot(self, names: list[str]) -> None:
        self.machines.start(self._plan(), self.testbed.images)
        self._wait(names)
