# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pnodes with a kernel of their own: virtual machines. They are qemu nodes of a separate experiment, on one hidden pnode, the carrier.

The same benito-host as in a swap-in makes them, in the carrier: warm start, identity, restart after a reboot. Their files are
below the carrier's directory, so removing the carrier removes everything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from subprocess import CompletedProcess

from ..clean_text import clean_text, clean_value
from ..commands import PATH, run
from ..embedding.binding.identifiers import BRIDGE, PORT, Identifiers
from ..errors import HostError, InputError, Problem
from ..files import private_directory, read_text
from ..host.base.paths import IMAGES, ExperimentPaths
from ..host.delivery.node_images import NOTE
from ..hostplan import HOST_KEY, HOST_KEY_FILES, ControlPlan, HostPlan, ImagePlan, InterfacePlan, SubstratePlan, VnodePlan, to_json
from ..images.build import build, needed_commands, require
from ..images.recipe import DISK, Recipe, recipe
from ..images.store import ImageStore
from .addresses import EXPERIMENT_MTU, NO_SUBNETS, Subnets
from .base import LXC_UNITS, PACKAGES
from .names import CONTROL, EXPERIMENT, Identity, Paths
from .pnodes import Pnodes

PROJECT = "Testbed"
DISK_MB = 16384
"""MiB, sparse."""
LEAST_MEMORY_MB = 256
_UNMASKED = "systemd-logind.service"  # with D-Bus installed, reboot asks logind
_LIMIT_S = 3600


@dataclass(frozen=True)
class Size:
    """The size of each virtual machine: memory in MiB, processors."""

    memory_mb: int = 2048
    cpus: int = 1


DEFAULT_SIZE = Size()


def check_size(size: Size, count: int) -> None:
    """Check a size. Raises InputError when it is not valid, HostError when ``count`` virtual machines do not fit into this machine."""
    problems = []
    if size.memory_mb < LEAST_MEMORY_MB:
        problems.append(Problem(f"{size.memory_mb} MiB of memory", element="memory_mb", hint=f"{LEAST_MEMORY_MB} or more: with less it does not boot"))
    if not 1 <= size.cpus <= 64:
        problems.append(Problem(f"{size.cpus} processors", element="cpus", hint="1 to 64"))
    if problems:
        raise InputError(problems)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    if count * size.memory_mb > there:
        raise HostError(f"{count} pnodes of {size.memory_mb} MiB do not fit into this machine's memory of {there} MiB: use fewer pnodes or a smaller memory_mb")


def image_recipe(release: str) -> Recipe:
    """Return the recipe of a pnode's image: the packages of a pnode that is a container, and a kernel."""
    plain = recipe("pnode", DISK, release, PACKAGES)
    masked = [unit for unit in plain.masked if unit != _UNMASKED] + [*LXC_UNITS]
    return dataclasses.replace(plain, disk_mb=DISK_MB, masked=tuple(masked))


class Images:
    """The images of pnodes with a Debian ``release``, in ``cache`` beside those of nodes."""

    def __init__(self, cache: str, release: str):
        self._release = release
        self._store = ImageStore(os.path.join(cache, "images"))

    def plan(self, kept: str) -> ImagePlan:
        """Return the image for a new testbed, or the one with digest ``kept``, which the testbed has used from its start."""
        found = image_recipe(self._release).plan(time.gmtime())
        return dataclasses.replace(found, digest=kept) if kept else found

    def has(self, digest: str) -> bool:
        return self._store.has(digest)

    def ensure(self, plan: ImagePlan) -> bool:
        """Build the image in the cache if it is missing. Return whether it was built. Raises HostError."""
        made_of = image_recipe(self._release)
        require(needed_commands(DISK))
        built = self._store.ensure(plan, lambda directory: build(made_of, directory))
        self._store.touch(plan.digest)
        return built

    def bring(self, plan: ImagePlan, directory: str) -> None:
        """Copy the image below ``directory``, whole or not at all."""
        target = f"{directory}/{plan.digest}"
        partial = f"{directory}/.partial-{plan.digest}"
        shutil.rmtree(partial, ignore_errors=True)
        private_directory(directory)
        shutil.copytree(self._store.path(plan.digest), partial)
        os.rename(partial, target)


class Machines:
    """The virtual machines of one testbed, and their carrier. Looking at them or removing them does not need ``subnets`` and ``program``.

    program  benito-host from archive.py: {"directory", "files", "compiled", "installer"}
    """

    def __init__(self, identity: Identity, paths: Paths, subnets: Subnets = NO_SUBNETS, program: dict | None = None):
        self.identity = identity
        self.paths = paths
        self.subnets = subnets
        self.carrier = identity.carrier
        self.lxc = Pnodes(identity, paths, subnets)
        self.experiment_paths = ExperimentPaths(f"{PROJECT}.{identity.name}")
        self._program = program or {}

    def existing(self) -> tuple[str, ...]:
        """Return the names of the pnodes that exist, by number."""
        with contextlib.suppress(FileNotFoundError):
            names = [name for name in os.listdir(self.paths.pnodes) if self.identity.index_of(name) >= 0 and os.path.exists(self._key(name) + ".pub")]
            return tuple(sorted(names, key=self.identity.index_of))
        return ()

    def states(self) -> dict[str, str]:
        """Return the state of each: ``running``, ``booting``, ``stopped``, or ``unknown`` when the carrier does not answer."""
        names = self.existing()
        if self.carrier_state() != "running" or not os.path.exists(self._inside(self.experiment_paths.plan)):
            return dict.fromkeys(names, "stopped")
        try:
            nodes = self._host(self.experiment_paths.program, "status", "-e", self.experiment_paths.experiment)["nodes"]
        except HostError:  # bringing them up meets the error again, removing them does not need the state
            return dict.fromkeys(names, "unknown")
        names_of_states = {"booted": "running", "running": "booting"}
        return {name: names_of_states.get(nodes.get(name, {}).get("state"), "stopped") for name in names}

    def carrier_state(self) -> str:
        """Return the carrier's state from lxc-info, or ``missing`` when there is no carrier."""
        return self.lxc.state(self.carrier) if self.lxc.is_made(self.carrier) else "missing"

    def experiments(self, pnode: str) -> tuple[str, ...]:
        """Return the experiments that have a plan on ``pnode``, as pid.eid; none if it does not answer."""
        if self.carrier_state() != "running":
            return ()
        done = self.lxc.ssh(pnode, "ls /var/benito/exp 2>/dev/null || :")
        return tuple(done.stdout.split()) if done.returncode == 0 else ()

    def make(self, pnode: str) -> None:
        """Make the host key of a pnode, before the pnode itself."""
        os.makedirs(self.paths.pnode(pnode), 0o700, exist_ok=True)
        for name in HOST_KEY_FILES:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(self.paths.pnode(pnode), name))
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", pnode, "-f", self._key(pnode))

    def plan(self, pnodes: Iterable[str], image: ImagePlan, size: Size) -> HostPlan:
        """Return the carrier's plan."""
        identifiers = Identifiers(PROJECT, self.identity.name)
        taken: set[str] = set()
        bridge = identifiers.device(BRIDGE, (EXPERIMENT,), taken)
        return HostPlan(
            pid=PROJECT, eid=self.identity.name, vhost=self.carrier, substrates=(SubstratePlan(EXPERIMENT, bridge, EXPERIMENT_MTU),),
            vnodes=tuple(self._vnode(pnode, identifiers, taken, image, size) for pnode in pnodes), images=(image,),
            root_keys=(read_text(self.paths.key + ".pub").strip(),),
        )

    def _vnode(self, pnode: str, identifiers: Identifiers, taken: set[str], image: ImagePlan, size: Size) -> VnodePlan:
        index, identity = self.identity.index_of(pnode), self.identity
        ports = {name: identifiers.device(PORT, (pnode, name), taken) for name in (CONTROL, EXPERIMENT)}
        return VnodePlan(
            name=pnode, kind="qemu", hostname=pnode, image=image.digest, memory_mb=size.memory_mb, cpus=size.cpus,
            control=ControlPlan(ports[CONTROL], identity.mac_address(pnode, CONTROL), f"{self.subnets.control_address(index)}/{self.subnets.control_prefix}",
                                self.subnets.gateway, CONTROL),
            interfaces=(InterfacePlan(EXPERIMENT, ports[EXPERIMENT], EXPERIMENT, identity.mac_address(pnode, EXPERIMENT),
                                      f"{self.subnets.experiment_address(index)}/{self.subnets.experiment_prefix}"),),
        )

    def has_image(self, digest: str) -> bool:
        """Return whether the carrier has its copy of the image."""
        return os.path.exists(f"{self._inside(IMAGES)}/{digest}/{NOTE}")

    def has_plan(self, plan: HostPlan) -> bool:
        """Return whether the carrier has this plan."""
        return read_text(self._inside(self.experiment_paths.plan)) == to_json(plan)

    def start(self, plan: HostPlan, images: Images) -> None:
        """Boot exactly the virtual machines of ``plan``, in a carrier that runs. Raises HostError."""
        for image in plan.images:
            if not self.has_image(image.digest):
                images.bring(image, self._inside(IMAGES))
        secrets = {vnode.name: {name: read_text(os.path.join(self.paths.pnode(vnode.name), name)) for name in HOST_KEY_FILES}
                   for vnode in plan.vnodes}
        program = self._install()
        experiment = ("-e", self.experiment_paths.experiment)
        self._host(program, "install", *experiment, data=json.dumps({"plan": to_json(plan), "secrets": secrets}), newest=True)
        program = self.experiment_paths.program
        self._host(program, "control-bridge", "up", "--user", self.experiment_paths.experiment, "--interface", CONTROL)
        self._host(program, "control-bridge", "confirm", "--user", self.experiment_paths.experiment)
        self._host(program, "apply", *experiment, "--part", "network")
        self._host(program, "make-templates", *experiment)
        self._host(program, "apply", *experiment, "--part", "machines", "--start-unit")

    def forget(self, pnode: str) -> None:
        """Remove the files that ``make`` has made."""
        shutil.rmtree(self.paths.pnode(pnode), ignore_errors=True)

    def _install(self) -> str:
        """Install this version of benito-host in the carrier if it is missing. Return its path."""
        directory = self._program["directory"]
        if not os.path.exists(self._inside(f"{directory}/benito-host")):
            given = json.dumps({name: self._program[name] for name in ("directory", "files", "compiled")})
            self._result(self._attach("/usr/bin/python3", "-c", self._program["installer"], data=given), "the installation of benito-host")
        return f"{directory}/benito-host"

    def _inside(self, path: str) -> str:
        """Return the path on this machine of a ``path`` in the carrier, below a directory that lies on this machine's file system."""
        return self.paths.pnode(self.carrier) + path

    def _key(self, pnode: str) -> str:
        return os.path.join(self.paths.pnode(pnode), HOST_KEY)

    def _host(self, program: str, *arguments: str, data: str = "", newest: bool = False) -> dict:
        """Run benito-host in the carrier and return its result. Raises HostError."""
        chosen = ("/usr/bin/env", "BENITO_VERSION_CHOSEN=1") if newest else ()
        return self._result(self._attach(*chosen, program, *arguments, "--json", data=data), f"benito-host {arguments[0]}")

    def _attach(self, *command: str, data: str = "") -> CompletedProcess[str]:
        return run("lxc-attach", "-P", self.paths.pnodes, "-n", self.carrier, "--clear-env", "--set-var", f"PATH={PATH}", "--", *command, stdin=data,
                   check=False, seconds=_LIMIT_S)

    def _result(self, done: CompletedProcess[str], what: str) -> dict:
        try:
            found = clean_value(json.loads((done.stdout.strip().splitlines() or [""])[-1]))
        except (ValueError, RecursionError):
            said = clean_text((done.stderr or done.stdout).strip()[-1000:])
            raise HostError(f"{what} failed with exit status {done.returncode} in {self.carrier}: {said}") from None
        if "error" in found:
            raise HostError(f"{self.carrier}: {found['error']}")
        return found
