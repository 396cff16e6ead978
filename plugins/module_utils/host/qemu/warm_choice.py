# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which virtual machines are cloned from warm templates, and which boot from their disks, with the reason."""

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
    """The templates that nodes of one experiment are cloned from in this run, each made if it is not there."""

    def __init__(self, plan: HostPlan, paths: ExperimentPaths):
        self._plan = plan
        self._paths = paths
        self._found: dict[Hardware, tuple[Template | None, str]] = {}

    def template(self, hardware: Hardware) -> tuple[Template | None, str]:
        """(the template, "") or (None, why a node with this hardware boots from its disk).

        Raises HostError where the plan insists on a warm start and there can be none.
        """
        if hardware not in self._found:
            self._found[hardware] = self._find(hardware)
        return self._found[hardware]

    def _find(self, hardware: Hardware) -> tuple[Template | None, str]:
        way, image = self._plan.qemu_start, hardware.image
        if way == COLD:
            return None, ""
        try:
            refuse_cold_image(image)
            return have_template(self._plan, self._paths, hardware), ""
        except HostError as exc:
            if way == WARM:
                raise HostError(f"image {image.name}: no warm start: {exc}") from exc
            return None, str(exc)


def refuse_cold_image(image: ImagePlan) -> None:
    """Raise HostError for an image whose guests cannot be told who they are once they run."""
    if image.cloud_init or not image.kernel:
        raise HostError("an image that was not built here takes its identity when it boots, and has nothing that waits for it afterwards")


def have_template(plan: HostPlan, paths: ExperimentPaths, hardware: Hardware) -> Template:
    """The experiment's copy of a template, which is made if there is none. Raises HostError."""
    key = template_key(template_fingerprint(hardware))
    for _attempt in range(2):
        found = take(key, paths)
        if found:
            return found
        progress(f"a warm template of {hardware.image.name} with {hardware.memory_mb} MiB is being made, once on this machine")
        make_template(hardware, key, plan.boot_limit_s, plan.template_cache_mb, lambda: still_wanted(paths))
    raise HostError(f"the template that was just made is damaged: {key}")


def still_wanted(paths: ExperimentPaths) -> None:
    """Raise HostError when somebody has begun to take the experiment away."""
    with removal_blocked(paths):
        pass


def begin_templates(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Have the templates that the plan's nodes will need made meanwhile, by a unit of their own. Returns changes in words."""
    missing = [hardware for hardware in needed(plan, paths) if not is_there(template_key(template_fingerprint(hardware)))]
    if missing and not dry_run:
        systemctl("reset-failed", "--quiet", unit(paths), check=False)
        command = ["systemd-run", "--quiet", "--collect", f"--unit={unit(paths)}", paths.program, "make-templates", "-e", paths.experiment]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and "already" not in done.stderr:
            raise HostError(f"{' '.join(command)}: {done.stderr.strip()}")
    return [f"template of {hardware.image.name} with {hardware.memory_mb} MiB: being made" for hardware in missing]


def make_templates(plan: HostPlan, paths: ExperimentPaths) -> list[str]:
    """Make them, and wait for that. Returns changes in words. Raises HostError."""
    made = []
    for hardware in needed(plan, paths):
        if make_template(hardware, template_key(template_fingerprint(hardware)), plan.boot_limit_s, plan.template_cache_mb, lambda: still_wanted(paths)):
            made.append(f"template of {hardware.image.name} with {hardware.memory_mb} MiB: made")
    return made


def end_templates(paths: ExperimentPaths) -> list[str]:
    """Nothing is made for this experiment any more."""
    if syscalls.installed("systemctl") and systemctl("is-active", unit(paths), check=False).returncode == 0:
        systemctl("stop", unit(paths), check=False)
        return ["making of templates: ended"]
    return []


def unit(paths: ExperimentPaths) -> str:
    """Who makes templates for the experiment in the background."""
    return f"benito-templates-{paths.experiment}.service"


def needed(plan: HostPlan, paths: ExperimentPaths) -> list[Hardware]:
    """What templates the plan's nodes that are not there yet will be cloned from."""
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
                pass  # said when the node starts
    return list(found)
