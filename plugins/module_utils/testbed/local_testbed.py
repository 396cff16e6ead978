# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local testbed as a whole: its state, its bring-up and its removal.

The bring-up is one list of changes, from the present to the wanted state. Check mode shows the list, a run applies it, and a second
run finds it empty. So building, repairing and resizing are one code path.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..debian.archives import KEYRING
from ..errors import HostError, InputError, Problem
from ..files import locked, read_text
from ..hostplan import ImagePlan
from ..images.build import needed_commands
from ..images.recipe import DISK
from . import files, kernel, network
from .addresses import MOST_PNODES, NO_SUBNETS, Subnets
from .base import DEFAULT_RELEASE, RELEASES, BaseCache, Recipe, host_recipe
from .bring_up import BringUp, BringUpMachines, Change
from .firewall import Firewall
from .machines import DEFAULT_SIZE, Images, Machines, Size, check_size
from .managers import Managers
from .names import Identity, Paths
from .pnodes import Pnodes, end_cgroup, in_parallel
from .sysctls import MachineLimits

LOCK_SECONDS = 120
LXC, QEMU = "lxc", "qemu"
NONE = "-"
Row = tuple[str, str, str, str, str]
NEEDED = {
    "ip": "iproute2", "nft": "nftables", "lxc-start": "lxc", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "ssh": "openssh-client",
    "ssh-keygen": "openssh-client", "dpkg": "dpkg", "apt-config": "apt", KEYRING: "debian-archive-keyring",
}
"""{command or file: the package that brings it}. The role local_testbed installs what ``missing_packages`` lists."""


@dataclass(frozen=True)
class Outcome:
    """The result of a run. In check mode, the result that it would have.

    changes   as text, in order; empty when nothing had to change
    before, after  the testbed as text, for --diff
    pnodes    as ``look`` returns them: tuples (name, state, control address, experiment address, experiments)
    warnings  for the user, although nothing failed
    """

    changes: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    pnodes: tuple[Row, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def pnode_facts(self) -> list[dict[str, str]]:
        """Return the pnodes as dictionaries."""
        return [dict(zip(("name", "state", "control_address", "experiment_address", "experiments"), row, strict=True)) for row in self.pnodes]

    @property
    def table(self) -> list[str]:
        return files.render_table([("PNODE", "STATE", "CONTROL", "EXPERIMENT", "EXPERIMENTS"), *self.pnodes])


class LocalTestbed:
    """The local testbed ``identity`` on this machine, with its base systems and images in ``cache``.

    backend  of its pnodes: ``lxc``, containers, or ``qemu``, virtual machines; "" for the backend that it has, or lxc
    release  of Debian on its pnodes, a key of RELEASES; "" for the one that it has, or the default
    size     of the virtual machines
    program  benito-host, which makes the virtual machines, see Machines
    """

    def __init__(self, identity: Identity, cache: str, backend: str = "", size: Size = DEFAULT_SIZE, program: dict | None = None,
                 release: str = ""):
        self.identity = identity
        self.paths = Paths(identity, cache)
        self.size = size
        self.program = program
        self.backend = backend or self.state().get("backend", LXC)
        self.release = release or self.state().get("release", DEFAULT_RELEASE)
        self.bases = BaseCache(cache)
        self.images = Images(cache, self.release)
        self.limits = MachineLimits(identity.id)

    def ready(self, check_mode: bool = False) -> Outcome:
        """Check that this machine supports a testbed, then build the base system and the image of virtual machines if they are missing.

        Raises HostError that names missing packages and abilities of the kernel.
        """
        _require_root()
        missing = self.missing_packages()
        if missing:
            raise HostError(f"packages are missing on this machine: {', '.join(missing)}. The role deter.benito.local_testbed installs them")
        kernel.check(self.paths.root)
        self._check_release()
        recipe = self.base_recipe()
        key = self.base_key(recipe)
        image = self.image() if self.backend == QEMU else None
        changes = [] if self.bases.has(key) else [f"build base system {key}"]
        changes += [] if image is None or self._has_image(image.digest) else [f"build image {image.name} {image.digest}"]
        if not check_mode:
            os.makedirs(self.paths.root, 0o700, exist_ok=True)
            self.bases.ensure(key, recipe, self.identity.id, self.paths.root)
            if image is not None and not self._has_image(image.digest):
                self.images.ensure(image)
        return Outcome(changes=tuple(changes))

    def up(self, count: int, check_mode: bool = False) -> Outcome:
        """Bring up exactly ``count`` pnodes: running, reachable, and listed in the inventory. Raises BenitoError."""
        if not 1 <= count <= MOST_PNODES:
            raise InputError(Problem(f"{count} pnodes", element="pnodes", hint=f"1 to {MOST_PNODES}"))
        if self.backend == QEMU:
            check_size(self.size, count)
        prepared = self.ready(check_mode)
        with self._locked(check_mode):
            rows = self._rows()
            before = self._describe(rows)
            self._refuse_another("backend", self.backend, LXC)
            self._refuse_another("release", self.release, DEFAULT_RELEASE)
            bring_up = (BringUpMachines if self.backend == QEMU else BringUp)(self, [self.identity.pnode(index) for index in range(count)])
            changes = bring_up.changes()
            if check_mode:
                return Outcome(prepared.changes + tuple(change.what for change in changes), before, bring_up.describe(), rows, bring_up.warnings())
            warnings = bring_up.warnings()
            for change in changes:
                change.do()
            warnings += tuple(bring_up.boot_warnings)
            rows = self._rows() if changes else rows
            return Outcome(prepared.changes + tuple(change.what for change in changes), before, self._describe(rows), rows, warnings)

    def down(self, check_mode: bool = False) -> Outcome:
        """Remove everything of this testbed except the cached base systems, whatever state an earlier run has left."""
        _require_root()
        with self._locked(check_mode):
            rows = self._rows()
            before, changes = self._describe(rows), self._removals()
            warnings = tuple(f"{name} was part of {found}" for name, _state, _control, _experiment, found in rows if found != NONE)
            if not check_mode:
                for change in changes:
                    change.do()
                self.bases.release(self.identity.id)
                changed = self.limits.leave()
                warnings += tuple(f"sysctl {name} has been changed by another program and is left as it is" for name in changed)
        if not check_mode:
            self._remove_empty_directories()
        return Outcome(tuple(change.what for change in changes), before, "", (), warnings)

    def look(self) -> Outcome:
        """Return the present pnodes. This changes nothing and needs no lock. Without LXC there are no pnodes."""
        return Outcome(pnodes=self._rows() if shutil.which("lxc-info") else ())

    def state(self) -> dict:
        """Return the choices made for this testbed: ``control`` and ``experiment`` subnets and the ``base`` key. Empty when there is no testbed."""
        with contextlib.suppress(ValueError):
            return json.loads(read_text(self.paths.state, "{}"))
        return {}

    def subnets(self) -> Subnets | None:
        state = self.state()
        return Subnets(state["control"], state["experiment"]) if state else None

    def containers(self, subnets: Subnets = NO_SUBNETS) -> Pnodes:
        """Return the testbed's containers: the pnodes, or the carrier of those that are virtual machines."""
        return Pnodes(self.identity, self.paths, subnets)

    def machines(self, subnets: Subnets = NO_SUBNETS) -> Machines:
        """Return the testbed's virtual machines."""
        return Machines(self.identity, self.paths, subnets, self.program)

    def image(self) -> ImagePlan:
        """Return the image of pnodes that are virtual machines. A testbed keeps its first image."""
        kept = self.state().get("image", "")
        return self.images.plan(kept if kept and self._has_image(kept) else "")

    def _has_image(self, digest: str) -> bool:
        return self.images.has(digest) or self.machines().has_image(digest)

    def _refuse_another(self, choice: str, wanted: str, default: str) -> None:
        """Refuse to change a choice that a testbed keeps. ``default`` is what a testbed has that does not name it."""
        found = self.state().get(choice, default) if self.state() else wanted
        if found != wanted:
            raise HostError(f"the local testbed {self.identity.name} has pnodes of {choice} {found}, not {wanted}: remove it first (state=down), "
                            "or use another name for the new one")

    def _check_release(self) -> None:
        """Refuse containers whose systemd cannot run under this machine's control groups."""
        if self.backend == LXC and self.release != DEFAULT_RELEASE and not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            raise HostError(f"{RELEASES[self.release]} as a container needs version 2 of control groups, and this machine has version 1: "
                            "use backend=qemu for pnodes with a kernel of their own")

    def base_recipe(self) -> Recipe:
        """Return the recipe of the base system: that of the pnodes, or of the carrier of those that are virtual machines."""
        return host_recipe(self.release if self.backend == LXC else DEFAULT_RELEASE)

    def base_key(self, recipe: Recipe) -> str:
        """Return the name of the testbed's base. A testbed keeps its base while the recipe is the same, also in another week."""
        key = self.state().get("base", "")
        return key if recipe.hash in key.split("-") and self.bases.has(key) else recipe.key(time.gmtime())

    def _removals(self) -> list[Change]:
        pnodes = self.containers()
        carrier = (self.identity.carrier,) if os.path.isdir(self.paths.pnode(self.identity.carrier)) else ()
        present = (*carrier, *pnodes.existing(), *pnodes.half_made())
        changes = []
        if present:
            changes.append(Change(f"remove pnodes {', '.join(present)}", lambda: in_parallel(pnodes.remove, present)))
        links = network.leftovers(self.identity)
        if links:
            changes.append(Change(f"remove {', '.join(links)}", lambda: network.remove(links)))
        managers = Managers(self.identity)
        if managers.present():
            changes.append(Change(f"remove {', '.join(managers.present())}", managers.release))
        firewall = Firewall(self.identity)
        if shutil.which("nft") and firewall.is_there():
            changes.append(Change(f"remove firewall table {self.identity.firewall_table}", firewall.down))
        if self.limits.joined():
            changes.append(Change("restore the machine's limits", lambda: None))
        if os.path.exists(self.paths.inventory):
            changes.append(Change(f"remove {self.paths.inventory}", lambda: os.unlink(self.paths.inventory)))
        if os.path.isdir(self.paths.root):
            changes.append(Change(f"remove {self.paths.root}", self._remove_root))
        return changes

    def _remove_root(self) -> None:
        end_cgroup(self.identity.cgroup)
        shutil.rmtree(self.paths.root)

    def _remove_empty_directories(self) -> None:
        for path in (os.path.dirname(self.paths.root), os.path.dirname(self.paths.inventory), self.identity.home):
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def _rows(self) -> tuple[Row, ...]:
        subnets = self.subnets()
        if not subnets or not os.path.isdir(self.paths.pnodes):
            return ()
        pnodes = self.machines(subnets) if self.backend == QEMU else self.containers(subnets)
        states = pnodes.states()
        experiments = dict(zip(states, in_parallel(pnodes.experiments, states), strict=True))
        return tuple((
            name, state, subnets.control_address(self.identity.index_of(name)), subnets.experiment_address(self.identity.index_of(name)),
            " ".join(experiments[name]) or NONE,
        ) for name, state in states.items())

    def _describe(self, rows: tuple[Row, ...]) -> str:
        """Return the testbed as text, one item per line."""
        subnets = self.subnets()
        pnodes = [f"pnode {name} {state} {control} {experiment}" for name, state, control, experiment, _found in rows]
        links = [f"link {name}" for name in (self.identity.control_bridge, self.identity.experiment_bridge) if os.path.isdir(f"/sys/class/net/{name}")]
        firewall = ["firewall table"] if shutil.which("nft") and Firewall(self.identity).is_there() else []
        head = [f"control {subnets.control}", f"experiment {subnets.experiment}"] if subnets else []
        inventory = [f"inventory {self.paths.inventory}"] if os.path.exists(self.paths.inventory) else []
        return "".join(line + "\n" for line in (*head, *pnodes, *links, *firewall, *inventory))

    @contextlib.contextmanager
    def _locked(self, check_mode: bool) -> Iterator[None]:
        """Hold the lock of this testbed, except in check mode, which leaves no trace."""
        if check_mode:
            yield
            return
        what = f"local testbed {self.identity.name}"
        with locked(self.paths.lock, what, limit_s=LOCK_SECONDS, remove_if=lambda: not os.path.isdir(self.paths.root)):
            yield

    def missing_packages(self) -> list[str]:
        """Return the packages that a testbed of this backend needs and that are not installed on this machine."""
        needed = {**NEEDED, **(needed_commands(DISK) if self.backend == QEMU else {})}
        return sorted({package for name, package in needed.items() if not (os.path.exists(name) if name.startswith("/") else shutil.which(name))})


def _require_root() -> None:
    if os.geteuid() != 0:
        raise HostError("a local testbed makes network devices and containers, which only root can do: run this with sudo -E")
