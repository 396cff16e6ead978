# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watchers of all experiments below one BENITO_HOME. They come and go with the experiments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import experiments

from ..experiment import Experiment
from ..watching.watcher import Watcher

LOOK_S = 1.0  # for new experiments


class Watchers:
    """A Watcher for each experiment, while ``run`` is awaited.

    home   BENITO_HOME
    begun  called with each new watcher
    """

    def __init__(self, home: str, begun: Callable[[Watcher], None] = lambda watcher: None):
        self.home = home
        self._begun = begun
        self._watchers: dict[str, Watcher] = {}
        self._tasks: dict[str, asyncio.Task] = {}

    @property
    def names(self) -> list[str]:
        """The experiments as PID/EID or PID/GID/EID, sorted."""
        return sorted(self._watchers)

    def get(self, name: str) -> Watcher | None:
        """Return the watcher of an experiment, None if there is no such experiment."""
        self._look()
        return self._watchers.get(name)

    async def run(self) -> None:
        """Follow all experiments until this task is cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _look(self) -> None:
        for name in [name for name, task in self._tasks.items() if task.done()]:
            del self._watchers[name], self._tasks[name]
        for project, eid in experiments(self.home):
            name = f"{project}/{eid}"
            if name not in self._watchers:
                watcher = self._watchers[name] = Watcher(Experiment(project, eid, self.home))
                self._tasks[name] = asyncio.create_task(watcher.run())
                self._begun(watcher)
