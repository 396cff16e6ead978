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


@dataclass(frozen=True)
class Driver:
    """How substrates of one kind are realised.

    realises  (substrate) -> whether it is one of this driver's
    apply     (experiment's paths, its substrates, live devices, dry_run) -> changes as text; makes and repairs them,
              and removes those that are no longer planned. Raises HostError
    master    (substrate) -> name of the device that its ports are members of
    is_up     (experiment's paths, substrate, live devices) -> whether it exists
    remove    (experiment's paths) -> changes as text; removes all of them, whatever plan there is or was. Raises HostError
    """

    realises: Callable[[SubstratePlan], bool]
    apply: Callable[[ExperimentPaths, Sequence[SubstratePlan], dict[str, Link], bool], list[str]]
    master: Callable[[SubstratePlan], str]
    is_up: Callable[[ExperimentPaths, SubstratePlan, dict[str, Link]], bool]
    remove: Callable[[ExperimentPaths], list[str]]


# The first that realises a substrate is its driver.
DRIVERS: tuple[Driver, ...] = (
    Driver(bridge_driver.realises, bridge_driver.apply, bridge_driver.master, bridge_driver.is_up, bridge_driver.remove),
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


def substrates_status(plan: HostPlan, paths: ExperimentPaths) -> dict[str, str]:
    """Return {name: ``up`` or ``missing``} of every substrate of the plan."""
    live = netlink.links()
    return {substrate.name: "up" if _driver(substrate).is_up(paths, substrate, live) else "missing" for substrate in plan.substrates}


def remove_network(paths: ExperimentPaths) -> list[str]:
    """Remove all substrates of the experiment, with the ports on them. Return the changes as text. Raises HostError."""
    return [change for driver in DRIVERS for change in driver.remove(paths)]


def _driver(substrate: SubstratePlan) -> Driver:
    return next(driver for driver in DRIVERS if driver.realises(substrate))
