# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check how ansible-playbook was called: options that would leave out hosts or tasks of a playbook, and misspelt extra variables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.task import Task
from ansible.utils.vars import load_extra_vars
from ansible_collections.deter.benito.plugins.module_utils.errors import Problem
from ansible_collections.deter.benito.plugins.module_utils.settings.playbooks import EXPERIMENT_HOST, PLAYBOOKS, ignored, misspelt

_COLLECTION = "deter.benito."
_FOLDER = Path(__file__).resolve().parents[2] / "playbooks"
_SHOWN = 3


class RunOptions:
    """The options that ansible-playbook was called with, and what they do to one playbook.

    playbook  the playbook of PLAYBOOKS that begins
    groups    {group of the inventory: names of its hosts}
    """

    def __init__(self, playbook: str, groups: Mapping[str, Iterable[str]], loader: DataLoader):
        self._playbook = PLAYBOOKS[playbook]
        self._groups, self._loader = groups, loader
        self._called = [_playbook_of(argument) for argument in self._option("args") or ()]

    def problems(self) -> list[Problem]:
        """Return everything for which the playbook must not begin."""
        if any(self._option(name) for name in ("syntax", "listhosts", "listtasks", "listtags")):
            return []
        return [*self._limit(), *self._tags(), *self._single_tasks(), *(self._misspelt() if self._is_alone else ())]

    def warnings(self) -> list[str]:
        """Return a sentence for each extra variable that is likely a mistake."""
        if self._is_alone:
            return ignored(self._extra_variables(), self._names)
        return [str(problem) for problem in self._misspelt()]

    @property
    def _names(self) -> list[str]:
        """The playbooks of the collection whose variables are given."""
        return [name for name in self._called if name] if self._is_alone else [self._playbook.name]

    @property
    def _is_alone(self) -> bool:
        """Whether only playbooks of the collection were called. A playbook of the user's own, which imports this one, has its own variables and tags."""
        return bool(self._called) and all(self._called)

    def _option(self, name: str) -> Any:
        return context.CLIARGS.get(name)

    def _limit(self) -> list[Problem]:
        """Return the problem of a --limit that leaves out a host that the playbook needs. Ansible's own rules decide what it leaves out."""
        limit = self._option("subset")
        if not limit:
            return []
        inventory = InventoryManager(loader=self._loader, parse=False)
        for group, hosts in self._groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group)
        inventory.add_host(EXPERIMENT_HOST)
        inventory.add_group("pnode_pool")
        inventory.reconcile_inventory()
        inventory.subset(limit)
        needs, needs_any = self._playbook.needs, self._playbook.needs_any
        left_out = [host.name for host in inventory.get_hosts(needs, ignore_limits=True) if host not in inventory.get_hosts(needs)] if needs else []
        if left_out:
            return [self._refused(f"--limit {limit}", f"leaves out {_listed(left_out)}")]
        if needs_any and inventory.get_hosts(needs_any, ignore_limits=True) and not inventory.get_hosts(needs_any):
            return [self._refused(f"--limit {limit}", f"leaves no host of {needs_any}")]
        return []

    def _tags(self) -> list[Problem]:
        """Return the problem of tags that leave out the playbook's tasks. These have no tags, so all of them run or none."""
        if not self._is_alone or Task().evaluate_tags(self._option("tags"), self._option("skip_tags"), {}):
            return []
        skipped = bool(Task().evaluate_tags(self._option("tags"), [], {}))
        option, variable = ("--skip-tags", "ANSIBLE_SKIP_TAGS") if skipped else ("--tags", "ANSIBLE_RUN_TAGS")
        tags = ",".join(sorted(self._option("skip_tags" if skipped else "tags")))
        return [self._refused(f"{option} {tags} (or {variable}, or [tags] of ansible.cfg)", "leaves out every task")]

    def _single_tasks(self) -> list[Problem]:
        begin = self._option("start_at_task")
        problems = [self._refused(f"--start-at-task {begin!r}", "leaves out the tasks before it")] if begin else []
        return [*problems, *([self._refused("--step", "may leave out tasks")] if self._option("step") else [])]

    def _refused(self, option: str, reason: str) -> Problem:
        name = next((name for name in self._called if name), self._playbook.name)
        return Problem(f"{option} {reason}, but {name} runs only as a whole: run it without this option")

    def _misspelt(self) -> list[Problem]:
        return misspelt(self._extra_variables(), self._names)

    def _extra_variables(self) -> Collection[str]:
        return [str(name) for name in load_extra_vars(self._loader)]


def _playbook_of(argument: str) -> str:
    """Return the name of the collection's playbook that an argument of ansible-playbook names, or "" for another playbook."""
    name = argument.removeprefix(_COLLECTION) if argument.startswith(_COLLECTION) else ""
    path = Path(argument)
    if not name and path.exists() and path.resolve().parent == _FOLDER:
        name = path.stem
    return name if name in PLAYBOOKS else ""


def _listed(names: list[str]) -> str:
    shown = ["the machines of the experiment" if name == EXPERIMENT_HOST else name for name in names]
    more = [f"{len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    return " and ".join([", ".join(shown[:_SHOWN]), *more])
