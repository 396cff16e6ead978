# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A local testbed as a whole: look at it, bring it to what is wanted, take it away.

Bringing it up is one list of changes, from what is to what should be. Check mode shows the list, a
run carries it out, a second run finds it empty: building, repairing and resizing are one code path.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..commands import locked, read_text, run, write_text
from ..errors import HostError, InputError, Problem
from . import files, kernel, network
from .addresses import MOST_PNODES, Subnets, choose_subnets
from .base import BaseCache, host_recipe
from .firewall import Firewall, legacy_iptables_warning
from .names import Identity, Paths
from .pnodes import Pnodes, end_cgroup, in_parallel
from .sysctls import MachineLimits

LOCK_SECONDS = 120
NEEDED_COMMANDS = {
    "ip": "iproute2", "nft": "nftables", "lxc-start": "lxc", "mmdebstrap": "mmdebstrap", "unshare": "util-linux", "ssh": "openssh-client",
    "ssh-keygen": "openssh-client", "dpkg": "dpkg", "apt-config": "apt",
}


@dataclass(frozen=True)
class Change:
    """One thing to do: in words, and how."""

    what: str
    do: Callable = field(repr=False)


@dataclass(frozen=True)
class Outcome:
    """What a run did, or in check mode would do.

    changes   in words, in order; empty when everything was as it should be
    before, after  the testbed in words, for --diff
    pnodes    what ``list`` shows: tuples (name, state, control address, experiment address, experiments)
    warnings  what the user should know though nothing failed
    """

    changes: tuple = ()
    before: str = ""
    after: str = ""
    pnodes: tuple = ()
    warnings: tuple = ()

    @property
    def pnode_facts(self) -> list:
        """The pnodes as dictionaries."""
        return [dict(zip(("name", "state", "control_address", "experiment_address", "experiments"), row, strict=True)) for row in self.pnodes]

    @property
    def table(self) -> list:
        return files.render_table([("PNODE", "STATE", "CONTROL", "EXPERIMENT", "EXPERIMENTS"), *self.pnodes])


class Bed:
    """The local testbed ``identity`` on this machine, with its base systems in ``cache``."""

    def __init__(self, identity: Identity, cache: str):
        self.identity = identity
        self.paths = Paths(identity, cache)
        self.bases = BaseCache(cache)
        self.limits = MachineLimits(identity.id)

    def ready(self, check_mode: bool = False) -> Outcome:
        """Find out whether this machine can carry a testbed at all, then have the base system. Raises HostError that names all that lacks."""
        _require_root()
        self._require_commands()
        kernel.check(self.paths.root)
        recipe = host_recipe()
        key = self._base_key(recipe)
        if check_mode:
            return Outcome(changes=() if self.bases.has(key) else (f"build base system {key}",))
        os.makedirs(self.paths.root, 0o700, exist_ok=True)
        built = self.bases.ensure(key, recipe, self.identity.id, self.paths.root)
        return Outcome(changes=(f"build base system {key}",) if built else ())

    def up(self, count: int, check_mode: bool = False) -> Outcome:
        """Have ``count`` pnodes running, reachable and listed in the inventory, and no others."""
        if not 1 <= count <= MOST_PNODES:
            raise InputError(Problem(f"{count} pnodes", element="pnodes", hint=f"1 to {MOST_PNODES}"))
        prepared = self.ready(check_mode)
        with self._locked(check_mode):
            before = self._describe()
            raising = _Raising(self, [self.identity.pnode(index) for index in range(count)])
            changes = raising.changes()
            if check_mode:
                return Outcome(prepared.changes + tuple(change.what for change in changes), before, raising.describe(), self._rows(), raising.warnings())
            warnings = raising.warnings()
            for change in changes:
                change.do()
            warnings += tuple(raising.boot_warnings)
            return Outcome(prepared.changes + tuple(change.what for change in changes), before, self._describe(), self._rows(), warnings)

    def down(self, check_mode: bool = False) -> Outcome:
        """Remove everything of this testbed, in whatever state an earlier run left it, but the cached base systems."""
        _require_root()
        with self._locked(check_mode):
            before = self._describe()
            changes = self._removals()
            warnings = tuple(f"{name} carried {', '.join(found)}" for name, found in self._experiments().items() if found)
            if not check_mode:
                for change in changes:
                    change.do()
                self.bases.release(self.identity.id)
                changed = self.limits.leave()
                warnings += tuple(f"sysctl {name} was changed by somebody else meanwhile and stays as it is" for name in changed)
        if not check_mode:
            self._remove_empty_directories()
        return Outcome(tuple(change.what for change in changes), before, "", (), warnings)

    def list(self) -> Outcome:
        """What there is. Changes nothing and needs no lock."""
        return Outcome(pnodes=self._rows())

    def state(self) -> dict:
        """What was decided once for this testbed: ``control`` and ``experiment`` subnets and the ``base`` key. Empty when it is not there."""
        with contextlib.suppress(ValueError):
            return json.loads(read_text(self.paths.state, "{}"))
        return {}

    def subnets(self):
        state = self.state()
        return Subnets(state["control"], state["experiment"]) if state else None

    def _base_key(self, recipe) -> str:
        """A testbed keeps the base it began with while the recipe is the same: a new week is no reason to mix."""
        key = self.state().get("base", "")
        return key if recipe.hash in key.split("-") and self.bases.has(key) else recipe.key(time.gmtime())

    def _removals(self) -> list:
        pnodes = Pnodes(self.identity, self.paths)
        present = (*pnodes.existing(), *pnodes.half_made())
        changes = []
        if present:
            changes.append(Change(f"remove pnodes {', '.join(present)}", lambda: in_parallel(pnodes.remove, present)))
        links = network.leftovers(self.identity)
        if links:
            changes.append(Change(f"remove {', '.join(links)}", lambda: network.remove(links)))
        firewall = Firewall(self.identity)
        if shutil.which("nft") and firewall.is_there():
            changes.append(Change(f"remove firewall table {self.identity.firewall_table}", firewall.down))
        if self.limits.joined():
            changes.append(Change("put the machine's limits back", lambda: None))
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

    def _experiments(self) -> dict:
        pnodes = Pnodes(self.identity, self.paths)
        return {name: pnodes.experiments(name) for name in pnodes.existing()}

    def _rows(self) -> tuple:
        subnets = self.subnets()
        if not subnets or not os.path.isdir(self.paths.pnodes):
            return ()
        pnodes = Pnodes(self.identity, self.paths)
        return tuple((
            name, state, subnets.control_address(self.identity.index_of(name)), subnets.experiment_address(self.identity.index_of(name)),
            " ".join(pnodes.experiments(name)) or "-",
        ) for name, state in pnodes.states().items())

    def _describe(self) -> str:
        """The testbed in words, one thing a line."""
        subnets = self.subnets()
        rows = [f"pnode {name} {state} {control} {experiment}" for name, state, control, experiment, _found in self._rows()]
        links = [f"link {name}" for name in (self.identity.control_bridge, self.identity.experiment_bridge) if os.path.isdir(f"/sys/class/net/{name}")]
        firewall = ["firewall table"] if shutil.which("nft") and Firewall(self.identity).is_there() else []
        head = [f"control {subnets.control}", f"experiment {subnets.experiment}"] if subnets else []
        inventory = [f"inventory {self.paths.inventory}"] if os.path.exists(self.paths.inventory) else []
        return "".join(line + "\n" for line in (*head, *rows, *links, *firewall, *inventory))

    @contextlib.contextmanager
    def _locked(self, check_mode: bool):
        """Hold this testbed. Check mode leaves no trace, not even a lock."""
        if check_mode:
            yield
            return
        what = f"local testbed {self.identity.name}"
        with locked(self.paths.lock, what, LOCK_SECONDS, remove_if=lambda: not os.path.isdir(self.paths.root)):
            yield

    def _require_commands(self) -> None:
        lacking = sorted({package for command, package in NEEDED_COMMANDS.items() if not shutil.which(command)})
        if lacking:
            raise HostError(f"this machine lacks the packages {', '.join(lacking)}; the role local_testbed installs them")


class _Raising:
    """One run of ``up``: what is, what should be, and the changes between, in the order they must be made."""

    def __init__(self, bed: Bed, wanted):
        self.bed = bed
        self.identity = bed.identity
        self.paths = bed.paths
        self.wanted = tuple(wanted)
        self.resolv_conf = network.host_resolv_conf()
        self.subnets = bed.subnets() or choose_subnets(network.taken_networks(self.resolv_conf), start=int.from_bytes(self.identity.id.encode(), "big"))
        self.base = bed._base_key(host_recipe())
        self.bridges = network.Bridges(self.identity, self.subnets)
        self.firewall = Firewall(self.identity, self.subnets)
        self.pnodes = Pnodes(self.identity, self.paths, self.subnets)
        self.states = self.pnodes.states()
        self.boot_warnings = []

    def changes(self) -> list:
        return [*self._decide(), *self._limit(), *self._connect(), *self._drop(), *self._make(), *self._tell(), *self._start()]

    def describe(self) -> str:
        rows = [f"pnode {name} running {self.subnets.control_address(i)} {self.subnets.experiment_address(i)}" for i, name in enumerate(self.wanted)]
        links = [f"link {name}" for name in (self.identity.control_bridge, self.identity.experiment_bridge)]
        head = (f"control {self.subnets.control}", f"experiment {self.subnets.experiment}")
        lines = (*head, *rows, *links, "firewall table", f"inventory {self.paths.inventory}")
        return "".join(line + "\n" for line in lines)

    def warnings(self) -> tuple:
        lines = []
        if not self.resolv_conf:
            lines.append("this machine's name servers are on its loopback, where pnodes cannot ask them: names will not resolve inside")
        if legacy_iptables_warning():
            lines.append(legacy_iptables_warning())
        for name in self._surplus():
            found = self.pnodes.experiments(name)
            if found:
                lines.append(f"{name}, which goes, carried {', '.join(found)}")
        return tuple(lines)

    def _surplus(self) -> tuple:
        return tuple(name for name in (*self.states, *self.pnodes.half_made()) if name not in self.wanted)

    def _decide(self) -> list:
        state = {"version": 1, "control": self.subnets.control, "experiment": self.subnets.experiment, "base": self.base}
        changes = []
        if state != self.bed.state():
            changes.append(Change(f"take {self.subnets.control} for control and {self.subnets.experiment} for experiments", lambda: self._write_state(state)))
        if not os.path.exists(self.paths.key + ".pub"):
            changes.append(Change(f"make the SSH key {self.paths.key}", self._make_key))
        return changes

    def _write_state(self, state: dict) -> None:
        os.makedirs(self.paths.root, 0o700, exist_ok=True)
        write_text(self.paths.state, json.dumps(state, indent=1) + "\n", 0o600)

    def _make_key(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.paths.key)
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.identity.mark, "-f", self.paths.key)

    def _limit(self) -> list:
        low = self.bed.limits.missing()
        if not low and self.bed.limits.joined():
            return []
        names = ", ".join(low) or "none is too low now"
        return [Change(f"raise the machine's limits ({names})", lambda: self.bed.limits.join(self.paths.root))]

    def _connect(self) -> list:
        changes = [Change(f"make bridge {name}", lambda name=name: self.bridges.make(name)) for name in self.bridges.missing()]
        if not self.firewall.is_up():
            changes.append(Change(f"make firewall table {self.identity.firewall_table}", self.firewall.up))
        return changes

    def _drop(self) -> list:
        surplus = self._surplus()
        return [Change(f"remove pnodes {', '.join(surplus)}", lambda: in_parallel(self.pnodes.remove, surplus))] if surplus else []

    def _make(self) -> list:
        absent = [name for name in self.wanted if name not in self.states]
        if not absent:
            return []
        os_root, mtu = self.bed.bases.root(self.base), network.uplink_mtu()
        return [Change(f"make pnodes {', '.join(absent)}",
                       lambda: in_parallel(lambda name: self.pnodes.make(name, os_root, mtu, self.resolv_conf), absent))]

    def _tell(self) -> list:
        """The files that tell of the pnodes."""
        changes = []
        made = all(name in self.states for name in self.wanted)
        if not made or self.pnodes.known_hosts(self.wanted) != read_text(self.paths.known_hosts):
            changes.append(Change(f"write {self.paths.known_hosts}",
                                  lambda: write_text(self.paths.known_hosts, self.pnodes.known_hosts(self.wanted), 0o600)))
        inventory = files.render_inventory(self.identity, self.paths, self.subnets, self.wanted)
        if inventory != read_text(self.paths.inventory):
            changes.append(Change(f"write {self.paths.inventory}", lambda: write_text(self.paths.inventory, inventory)))
        return changes

    def _start(self) -> list:
        idle = [name for name in self.wanted if self.states.get(name) != "running"]
        return [Change(f"start pnodes {', '.join(idle)}", lambda: self._boot(idle))] if idle else []

    def _boot(self, names) -> None:
        in_parallel(self.pnodes.start, names)
        for name, said in zip(names, in_parallel(self.pnodes.wait, names), strict=True):
            if said != "running":
                self.boot_warnings.append(f"{name} booted, but its systemd says: {said}")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise HostError("a local testbed makes network devices and containers of this machine and must be made by root: run this with sudo -E")
