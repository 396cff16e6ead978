# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The substrates of a plan on this vhost. Each is realised by a driver; there is one driver today, the Linux bridge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...hostplan import HostPlan, SubstratePlan
from ..base.paths import ExperimentPaths
from . import bridge_driver, netlink
from .netlink import Link

UP, MISSING, BROKEN = "up", "missing", "broken"


@dataclass(frozen=True)
class SubstrateHealth:
    """What is true of a substrate on this vhost now.

    state   UP, MISSING (its bridge is not there) or BROKEN
    faults  how it differs from what is planned. Each is a text that names the device
    """

    state: str
    faults: tuple[str, ...] = ()

    def with_faults(self, faults: Sequence[str]) -> SubstrateHealth:
        """Return the health with further faults."""
        return SubstrateHealth(BROKEN if self.state == UP else self.state, (*self.faults, *faults)) if faults else self


@dataclass(frozen=True)
class Driver:
    """How substrates of one kind are realised.

    realises  (substrate) -> whether it is one of this driver's
    apply     (experiment's paths, its substrates, live devices, dry_run) -> changes as text; makes and repairs them,
              and removes those that are no longer planned. Raises HostError
    master    (substrate) -> name of the device that its ports are members of
    exists    (experiment's paths, substrate, live devices) -> whether the device is there that its ports are members of
    faults    (experiment's paths, substrate, live devices) -> how its devices differ from what is planned, as text. Raises HostError
    remove    (experiment's paths) -> changes as text; removes all of them, whatever plan there is or was. Raises HostError
    """

    realises: Callable[[SubstratePlan], bool]
    apply: Callable[[ExperimentPaths, Sequence[SubstratePlan], dict[str, Link], bool], list[str]]
    master: Callable[[SubstratePlan], str]
    exists: Callable[[ExperimentPaths, SubstratePlan, dict[str, Link]], bool]
    faults: Callable[[ExperimentPaths, SubstratePlan, dict[str, Link]], list[str]]
    remove: Callable[[ExperimentPaths], list[str]]


# The first that realises a substrate is its driver.
DRIVERS: tuple[Driver, ...] = (
    Driver(bridge_driver.realises, bridge_driver.apply, bridge_driver.master, bridge_driver.exists, bridge_driver.faults, bridge_driver.remove),
)


def apply_network(plan: HostPlan, paths: ExperimentPaths, dry_run: bool = False) -> list[str]:
    """Build the substrates as planned, and remove those of this experiment that are not planned.

    Return what was (or with ``dry_run`` would be) changed, as text. Raises HostError.
    """
    live = netlink.links()
    return [change for driver in DRIVERS
            for change in driver.apply(paths, [substrate for substrate in plan.substrates if _driver(substrate) is driver], live, dry_run)]


def master_of(substrate: SubstratePlan) -> str:
    """Return the name of the device that the substrate's ports are members of."""
    return _driver(substrate).master(substrate)


def look(plan: HostPlan, paths: ExperimentPaths, live: dict[str, Link]) -> dict[str, SubstrateHealth]:
    """Return {name: health} of every substrate of the plan, without its ports. Raises HostError.

    live  {name: device} of the vhost
    """
    found = {}
    for substrate in plan.substrates:
        driver = _driver(substrate)
        faults = tuple(driver.faults(paths, substrate, live))
        found[substrate.name] = SubstrateHealth((BROKEN if faults else UP) if driver.exists(paths, substrate, live) else MISSING, faults)
    return found


def remove_network(paths: ExperimentPaths) -> list[str]:
    """Remove all substrates of the experiment, with the ports on them. Return the changes as text. Raises HostError."""
    return [change for driver in DRIVERS for change in driver.remove(paths)]


def _driver(substrate: SubstratePlan) -> Driver:
    return next(driver for driver in DRIVERS if driver.realises(substrate))
