# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an experiment on the vhost: reading it, and remembering which plan was applied."""

from __future__ import annotations

import os

from ...errors import HostError
from ...hostplan import HostPlan, from_json, to_json
from .paths import ExperimentPaths, write_atomically
from .plan_check import check_plan


def read_plan(paths: ExperimentPaths) -> HostPlan:
    """Return the plan that this host was given. Raises HostError when there is none, or when it is another experiment's."""
    plan = _read(paths.plan)
    if plan is None:
        raise HostError(f"no experiment {paths.experiment} on this host: there is no {paths.plan}")
    if plan.experiment != paths.experiment:
        raise HostError(f"{paths.plan} is the plan of {plan.experiment}, not of {paths.experiment}")
    return plan


def read_applied(paths: ExperimentPaths, part: str) -> HostPlan | None:
    """Return the plan from which this part was applied last since the host's boot, or None."""
    return _read(_applied(paths, part))


def remember_applied(paths: ExperimentPaths, part: str, plan: HostPlan) -> None:
    """Remember until the host's reboot that this part of the plan was applied."""
    write_atomically(_applied(paths, part), to_json(plan))


def is_applied(paths: ExperimentPaths, part: str) -> bool:
    """Return whether this part was applied since the host's boot."""
    return os.path.exists(_applied(paths, part))


def _applied(paths: ExperimentPaths, part: str) -> str:
    return f"{paths.run}/applied-{part}.json"


def _read(path: str) -> HostPlan | None:
    try:
        with open(path, encoding="utf-8") as stream:
            plan = from_json(stream.read(), path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as exc:
        raise HostError(f"{path} is damaged: {exc}") from exc
    check_plan(plan, path)
    return plan
