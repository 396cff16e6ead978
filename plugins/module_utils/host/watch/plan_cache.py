# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an experiment, read again only when it has changed."""

from __future__ import annotations

import dataclasses
import os

from ...hostplan import HostPlan
from ..base.paths import ExperimentPaths
from ..base.plan_file import read_plan


class PlanCache:
    """Returns the present plan when called, without what watching does not need. Raises HostError when there is none."""

    def __init__(self, paths: ExperimentPaths):
        self._paths = paths
        self._stamp: tuple[int, int] | None = None
        self._plan = HostPlan("", "", "")

    def __call__(self) -> HostPlan:
        try:
            found = os.stat(self._paths.plan)
            stamp = found.st_ino, found.st_mtime_ns
        except OSError:
            stamp = None
        if stamp is None or stamp != self._stamp:
            self._plan = dataclasses.replace(read_plan(self._paths), hosts=())
            self._stamp = stamp
        return self._plan
