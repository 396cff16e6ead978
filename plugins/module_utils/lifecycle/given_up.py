# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines that swap-outs of this controller have given up: they could not be reached, and still hold the lease and the nodes.

BENITO_HOME/given_up.json is {machine: {"pid.eid": when}}. The next swap-in of this controller that reaches such a machine cleans it. A lease that is
younger than that time is another one, and stays.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import files
from ..errors import ExperimentError
from ..experiment.directory import ExperimentDirectory

_NAME, _LOCK = "given_up.json", ".given_up.lock"
_LOCK_LIMIT_S = 30.0

Record = dict[str, dict[str, str]]


def give_up(directory: ExperimentDirectory, machines: Iterable[str]) -> None:
    """Record that the experiment has given up these machines of the pool. Raises ExperimentError."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())  # as leases have it
    names = list(machines)
    if names:
        _change(directory.home, lambda found: {**found, **{name: {**found.get(name, {}), f"{directory.pid}.{directory.eid}": now} for name in names}})


def given_up(home: str) -> dict[str, list[dict[str, str]]]:
    """Return {machine: what was given up on it: "pid", "eid", "since"}. Raises ExperimentError when the record is broken."""
    return {
        machine: [{"pid": name.split(".")[0], "eid": name.split(".")[1], "since": since} for name, since in experiments.items()]
        for machine, experiments in _read(home).items()
    }


def settle(home: str, offers: Mapping[str, Mapping[str, Any]]) -> None:
    """Forget what was given up on machines that do not hold the lease any more. Raises ExperimentError.

    offers  {machine: its offer}, see the module ``lease``
    """
    def kept(found: Record) -> Record:
        left = {machine: {name: since for name, since in experiments.items() if name in offers.get(machine, {}).get("leases", experiments)}
                for machine, experiments in found.items()}
        return {machine: experiments for machine, experiments in left.items() if experiments}

    if _read(home):
        _change(home, kept)


def _read(home: str) -> Record:
    path = os.path.join(home, _NAME)
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
        return {machine: {name: since for name, since in experiments.items() if name.count(".") == 1} for machine, experiments in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as exc:
        raise ExperimentError(f"{path} cannot be read ({exc}): remove it; machines that were given up are then cleaned by hand") from exc


def _change(home: str, change: Callable[[Record], Record]) -> None:
    try:
        with files.locked(os.path.join(home, _LOCK), "the record of machines that were given up", ExperimentError, _LOCK_LIMIT_S, lambda: True):
            files.replace_file(os.path.join(home, _NAME), (json.dumps(change(_read(home)), indent=1, sort_keys=True) + "\n").encode())
    except OSError as exc:
        raise ExperimentError(f"{home}/{_NAME} cannot be written: {exc.strerror}") from exc
