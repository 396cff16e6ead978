# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove an experiment."""

from __future__ import annotations

from ..errors import ExperimentError
from ..experiment.directory import ExperimentDirectory
from .lent import read_allocation


def remove(directory: ExperimentDirectory, dry_run: bool = False) -> bool:
    """Remove the directory of an experiment without machines. Return whether it existed. Raises ExperimentError when it has machines."""
    if not directory.exists():
        return False
    if read_allocation(directory).hosts and not dry_run:
        raise ExperimentError(f"experiment {directory} still has machines: swap it out first")
    if not dry_run:
        directory.remove()
    return True
