# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling the user that an experiment was swapped in, or could not be, as the original told its users."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line
from ansible_collections.deter.benito.plugins.module_utils.experiment import events
from ansible_collections.deter.benito.plugins.module_utils.experiment.runs import Run
from ansible_collections.deter.benito.plugins.module_utils.files import write_text

from ..watching.view import now
from ..watching.watcher import Watcher
from .settings import ServiceSettings

SWAPPED_IN, FAILED = "swapped_in", "failed"
_LIMIT_S = 30.0
_ATTEMPTS, _PAUSE_S = 3, 5.0
_WIDTH = 2000


class Notifications:
    """Tells of each swap-in that ends, once, also of one that ended while the service did not run.

    What was told of is in $BENITO_HOME/grandstand/told.json. Of an experiment that is seen for the first time, only later runs are told of.
    """

    def __init__(self, home: str, settings: ServiceSettings):
        self._path = Path(home, "grandstand", "told.json")
        self._settings = settings
        self._told: dict[str, str] = self._read()

    async def look(self, watcher: Watcher) -> None:
        """Tell of the runs of an experiment that have ended since the last call."""
        name = str(watcher.experiment)
        ended = [run for run in watcher.runs.runs if run.status != events.RUNNING]
        last, keys = self._told.get(name), [_key(run) for run in ended]
        if last is None:
            self._keep(name, keys[-1] if keys else "")
            return
        for run in ended[keys.index(last) + 1:] if last in keys else ended:
            if message := message_of(name, run):
                await self.tell(message)
            self._keep(name, _key(run))

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Run the command and call the address that the settings name. A failure is said in the service's output, and ends nothing."""
        if self._settings.notify_command:
            await self._run(message)
        if self._settings.notify_url:
            await self._post(message)

    async def _run(self, message: Mapping[str, Any]) -> None:
        environment = {**os.environ, "BENITO_EXPERIMENT": message["experiment"], "BENITO_EVENT": message["event"], "BENITO_MESSAGE": message["message"]}
        process = await asyncio.create_subprocess_exec("/bin/sh", "-c", self._settings.notify_command, stdin=asyncio.subprocess.PIPE, env=environment,
                                                       stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True)
        try:
            async with asyncio.timeout(_LIMIT_S):
                _out, err = await process.communicate(f"{message['message']}\n".encode())
            if process.returncode:
                _say(f"notify_command ended with status {process.returncode}: {clean_line(err.decode(errors='replace'), _WIDTH)}")
        except TimeoutError:
            process.kill()
            _say(f"notify_command has not ended within {_LIMIT_S:.0f} s")

    async def _post(self, message: Mapping[str, Any]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await asyncio.to_thread(_send, self._settings.notify_url, json.dumps(message).encode())
                return
            except (OSError, ValueError) as exc:
                _say(f"{self._settings.notify_url} could not be told: {exc}")
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(_PAUSE_S)

    def _keep(self, name: str, key: str) -> None:
        self._told[name] = key
        write_text(str(self._path), json.dumps(self._told), 0o600)

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): str(key) for name, key in found.items()}
        except (OSError, ValueError, AttributeError):
            return {}


def message_of(experiment: str, run: Run) -> dict[str, Any] | None:
    """Return what is told of a run that has ended, None if it was no swap-in."""
    if run.playbook != "swapin":
        return None
    fields = {"time": now(), "experiment": experiment, "by": run.by}
    if run.status == events.SUCCESSFUL:
        return {**fields, "event": SWAPPED_IN, "message": f"Experiment successfully swapped in: {experiment}"}
    why = next((failure.get("message", "") for failure in run.failures), "") or f"the run was {run.status}"
    return {**fields, "event": FAILED, "message": clean_line(f"Experiment could not be swapped in: {experiment}: {why}", _WIDTH)}


def _key(run: Run) -> str:
    return f"{run.name} {run.began}"


def _send(url: str, data: bytes) -> None:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=_LIMIT_S):
        pass


def _say(text: str) -> None:
    print(f"benito: {text}", file=sys.stderr, flush=True)
