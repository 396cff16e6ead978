# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice whether a virtual machine is cloned from a warm template or boots from its disk, with the reason."""

from __future__ import annotations

import os
import subprocess

from ...errors import HostError
from ...hostplan import HostPlan, ImagePlan
from ..base import syscalls
from ..base.jobs import progress
from ..base.locks import removal_blocked
from ..base.paths import ExperimentPaths
from ..base.systemctl import systemctl
from .acceleration import acceleration
from .command import Hardware, hardware_of
from .template_making import make_template
from .templates import Template, is_there, take, template_fingerprint, template_key

COLD, WARM = "cold", "warm"


class WarmChoice:
    """The templates for one experiment's nodes in this run. A missing template is made."""

    def __init__(self, plan: HostPlan, paths: ExperimentPaths):
        self._plan = plan
        self._paths = paths
        self._found: dict[Hardware, tuple[Template | None, str]] = {}

    def template(self, hardware: Hardware) -> tuple[Template | None, str]:
        """Return (template, "") or (None, reason why a node with this hardware boots from its disk).

        Raises HostError when the plan insists on a warm start and none is possible.
        """
        if hardware not in self._found:
            self._found[hardware] = self._find(hardware)
        return self._found[hardware]

    def _find(self, hardware: Hardware) -> tuple[Template | None, str]:
        mode, image = self._plan.qemu_start, hardware.image
        if mode == COLD:
            return None, ""
        try:
            refuse_cold_image(image)
            return have_template(self._plan, self._paths, hardware), ""
        except HostError as exc:
            if mode == WARM:
                raise HostError(f"image {image.name}: no warm start is possible: {exc}") from exc
            return None, str(exc)


def refuse_cold_image(image: ImagePlan) -> None:
    """Raise HostError for an image whose guests cannot get a new identity while they run."""
    if image.cloud_init or not image.kernel:
        raise HostError("the image was not built by this collection, so its guests take their identity only when they boot")


def have_template(plan: HostPlan, paths: ExperimentPaths, hardware: Hardware) -> Template:
    """Return the experiment's copy of a template. A missing template is made. Raises HostError."""
    key = template_key(template_fingerprint(hardware))
    for _attempt in range(2):
        found = take(key, paths)
        if found:
            return found
        progress(f"making a warm template of {hardware.image.name} with {hardware.memory_mb} MiB, once for this machine")
        make_template(hardware, key, plan.boot_limit_s, plan.template_cache_mb, lambda: still_wanted(paths))
    raise HostError(f"template {key} is damaged although it has just been made")


def still_wanted(paths: ExperimentPaths) -> None:
    """Raise HostError when a removal of the experiment has begun."""
    with removal_blocked(paths):
        pass


def begin_templates(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Start making the templates that the plan's nodes need, in a unit of their own. Return the changes as text."""
    missing = [hardware for hardware in needed(plan, paths) if not is_there(template_key(template_fingerprint(hardware)))]
    if missing and not dry_run:
        systemctl("reset-failed", "--quiet", unit(paths), check=False)
        command = ["systemd-run", "--quiet", "--collect", f"--unit={unit(paths)}", paths.program, "make-templates", "-e", paths.experiment]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and "already" not in done.stderr:
            raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    return [f"template of {hardware.image.name} with {hardware.memory_mb} MiB: being made" for hardware in missing]


def make_templates(plan: HostPlan, paths: ExperimentPaths) -> list[str]:
    """Make the templates that the plan's nodes need, and wait for them. Return the changes as text. Raises HostError."""
    made = []
    for hardware in needed(plan, paths):
        if make_template(hardware, template_key(template_fingerprint(hardware)), plan.boot_limit_s, plan.template_cache_mb, lambda: still_wanted(paths)):
            made.append(f"template of {hardware.image.name} with {hardware.memory_mb} MiB: made")
    return made


def end_templates(paths: ExperimentPaths) -> list[str]:
    """Stop making templates for this experiment. Return the changes as text."""
    if syscalls.installed("systemctl") and systemctl("is-active", unit(paths), check=False).returncode == 0:
        systemctl("stop", unit(paths), check=False)
        return ["making of templates: stopped"]
    return []


def unit(paths: ExperimentPaths) -> str:
    """Return the unit that makes templates for the experiment."""
    return f"benito-templates-{paths.experiment}.service"


def needed(plan: HostPlan, paths: ExperimentPaths) -> list[Hardware]:
    """Return the hardware of the plan's nodes that have no disk yet and will be cloned."""
    images, accelerator = {image.digest: image for image in plan.images}, ""
    found: dict[Hardware, None] = {}
    for vnode in plan.vnodes:
        if vnode.kind == "qemu" and not vnode.ghost and plan.qemu_start != COLD and not os.path.exists(f"{paths.directory}/machines/{vnode.name}/disk.qcow2"):
            accelerator = accelerator or acceleration(plan.acceleration)[0]
            hardware = hardware_of(vnode, images[vnode.image], accelerator)
            try:
                refuse_cold_image(hardware.image)
                found[hardware] = None
            except HostError:
                pass  # reported when the node starts
    return list(found)
