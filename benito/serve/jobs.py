# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of playbooks that the service was asked for: one after another for each experiment, each in a process that outlives the service.

A job is a file in $BENITO_HOME/grandstand/jobs, and its output and a lock are beside it. The process of a job has the lock from before its start until its end,
and writes how it ended. So a service that was killed and started again finds all of them, and none is run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError, InputError, Problem
from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder
from ansible_collections.deter.benito.plugins.module_utils.files import private_directory, write_text
from ansible_collections.deter.benito.plugins.module_utils.settings.playbooks import PLAYBOOKS

from ..collection import make_importable
from ..watching.view import now
from .watchers import Watchers

QUEUED, RUNNING, SUCCESSFUL, FAILED, INTERRUPTED, CANCELLED = "queued", "running", "successful", "failed", "interrupted", "cancelled"
ENDED = (SUCCESSFUL, FAILED, INTERRUPTED, CANCELLED)
MOST_KEPT = 500  # ended ones
MOST_QUEUED = 100
MOST_RUNNING = 4  # of different experiments; each takes a processor
PLAYBOOK_NAMES = ("swapin", "swapout", "terminate", "node_reboot", "containerize")
_POLL_S = 0.5
_OURS = ("pid", "eid", "benito_home")


@dataclass(frozen=True)
class Job:
    """A run of a playbook that was asked for.

    number     a number that grows; its name in the interface
    status     queued, running, successful, failed, interrupted (it was killed, or ended by a signal), or cancelled (before it began)
    variables  extra variables of the playbook, without pid and eid
    failures   [(host, message)] of a failed one
    process    its process while it runs
    """

    number: int
    experiment: str
    playbook: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""
    status: str = QUEUED
    created: str = ""
    began: str = ""
    ended: str = ""
    exit_status: int | None = None
    failures: tuple[tuple[str, str], ...] = ()
    process: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return its fields for JSON, without those that are only the service's."""
        fields = asdict(self)
        del fields["process"]
        return {**fields, "failures": [{"host": host, "message": message} for host, message in self.failures]}


class Jobs:
    """All jobs below one BENITO_HOME. Jobs begin while ``run`` is awaited."""

    def __init__(self, home: str, watchers: Watchers):
        self.folder = Path(home, "grandstand", "jobs")
        self._home, self._watchers = home, watchers
        self._jobs: dict[int, Job] = {}
        self._begun: set[int] = set()
        self._children: list[subprocess.Popen] = []
        private_directory(str(self.folder))
        for path in self.folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # half of it was written by a version that is gone
                job = read_job(path)
                self._jobs[job.number] = job

    async def run(self) -> None:
        """Begin jobs, and notice those that end, until this task is cancelled. Running jobs go on then."""
        said = ""
        while True:
            try:
                self._look()
                said = ""
            except OSError as exc:  # a full disk, for example: the service goes on, and so do the runs when there is space
                if str(exc) != said:
                    print(f"benito: runs cannot be looked after: {exc}", file=sys.stderr, flush=True)
                said = str(exc)
            await asyncio.sleep(_POLL_S)

    def of(self, experiment: str | None = None) -> list[Job]:
        """Return the jobs of an experiment, or all, the oldest first."""
        self._look()
        return [job for _number, job in sorted(self._jobs.items()) if experiment in (None, job.experiment)]

    def get(self, number: int) -> Job | None:
        self._look()
        return self._jobs.get(number)

    def submit(self, experiment: str, playbook: str, variables: Mapping[str, Any], by: str = "", topology: tuple[str, str] | None = None) -> Job:
        """Queue a run and return its job.

        topology  (file name, text) for containerize

        Raises InputError for a playbook or variables that are none, ExperimentError if too many are queued.
        """
        _check(playbook, variables)
        if sum(job.status == QUEUED for job in self._jobs.values()) >= MOST_QUEUED:
            raise ExperimentError(f"{MOST_QUEUED} runs are waiting already: wait for some, or cancel them")
        number = max([time.time_ns() // 1_000_000, *(known + 1 for known in self._jobs)])
        if topology:
            folder = self.folder / str(number)
            private_directory(str(folder))
            path = folder / topology[0]
            write_text(str(path), topology[1], 0o600)
            variables = {**variables, "topology": str(path)}
        self._keep(Job(number, experiment, playbook, dict(variables), by, created=now()))
        self._look()
        return self._jobs[number]

    def cancel(self, number: int) -> Job:
        """Cancel a job that waits, or interrupt one that runs as Ctrl-C does. Raises ExperimentError if it has ended or there is none."""
        job = self.get(number)
        if job is None:
            raise ExperimentError(f"there is no run {number}")
        if job.status == QUEUED and number not in self._begun:
            self._keep(replace(job, status=CANCELLED, ended=now()))
        elif job.status in ENDED:
            raise ExperimentError(f"run {number} has ended already: {job.status}")
        elif holder := _holder(job):
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder.process, signal.SIGINT)
        else:
            raise ExperimentError(f"run {number} begins just now: try again")
        return self._jobs[number]

    def output(self, number: int) -> Path:
        """Return the path of a job's output. There is none before it begins."""
        return self.folder / f"{number}.log"

    def _look(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]
        for job in list(self._jobs.values()):
            if job.status not in ENDED:
                self._follow(job)
        busy = {job.experiment for number, job in self._jobs.items() if job.status == RUNNING or number in self._begun}
        for _number, job in sorted(self._jobs.items()):
            if job.status == QUEUED and job.experiment not in busy and len(busy) < MOST_RUNNING:
                busy.add(job.experiment)
                if not self._somebody_else(job):
                    self._start(job)
        self._forget_old()

    def _follow(self, job: Job) -> None:
        """Take in what a job's process has written. One that is gone without a word was killed."""
        lives = self._lives(job.number)
        if lives:
            self._begun.add(job.number)
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            job = self._jobs[job.number] = read_job(self._file(job.number))
        if not lives and job.status == RUNNING:
            self._keep(replace(job, status=INTERRUPTED, ended=now(), process=None))
        elif not lives and job.status == QUEUED and job.number in self._begun:
            self._keep(replace(job, status=FAILED, ended=now(), failures=(("", "the run could not begin; its output may say why"),)))
        if self._jobs[job.number].status in ENDED:
            self._begun.discard(job.number)

    def _lives(self, number: int) -> bool:
        """Return whether the process of a job lives. It has the lock."""
        try:
            descriptor = os.open(self._lock(number), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    def _somebody_else(self, job: Job) -> bool:
        """Return whether a run of somebody else works on the experiment now: the job waits for its end."""
        watcher = self._watchers.get(job.experiment)
        run = watcher.run_now if watcher else None
        return bool(run and run.status == RUNNING and run.holder and run.holder.lives())

    def _start(self, job: Job) -> None:
        paths = [str(make_importable().parents[2]), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "BENITO_PROGRESS": "lines", "ANSIBLE_NOCOLOR": "1"}
        lock = os.open(self._lock(job.number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            argv = [sys.executable, "-m", "benito.serve.job", str(self._file(job.number)), self._home, str(lock)]
            with open(self.output(job.number), "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
                self._children.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True,
                                                       pass_fds=(lock,)))
            self._begun.add(job.number)
        finally:
            os.close(lock)  # the process has it still

    def _file(self, number: int) -> Path:
        return self.folder / f"{number}.json"

    def _lock(self, number: int) -> Path:
        return self.folder / f"{number}.lock"

    def _keep(self, job: Job) -> None:
        self._jobs[job.number] = job
        write_job(self._file(job.number), job)

    def _forget_old(self) -> None:
        ended = sorted(number for number, job in self._jobs.items() if job.status in ENDED)
        for number in ended[:-MOST_KEPT]:
            del self._jobs[number]
            for path in (self._file(number), self._lock(number), self.output(number), *(self.folder / str(number)).glob("*")):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                (self.folder / str(number)).rmdir()


def read_job(path: Path) -> Job:
    """Return the job of a file. Raises OSError, ValueError, KeyError or TypeError when it is none."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    return Job(**{**fields, "failures": tuple((host, message) for host, message in fields["failures"])})


def write_job(path: Path, job: Job) -> None:
    write_text(str(path), json.dumps(asdict(job)), 0o600)


def variable_names(playbook: str) -> tuple[str, ...]:
    """Return the extra variables that a run may have."""
    return tuple(name for name in PLAYBOOKS[playbook].variables if name not in (*_OURS, "topology", "site", "config"))


def _check(playbook: str, variables: Mapping[str, Any]) -> None:
    if playbook not in PLAYBOOK_NAMES:
        raise InputError(Problem(f"{playbook!r} is not a playbook of the service", element="playbook", hint=f"one of {', '.join(PLAYBOOK_NAMES)}"))
    known = variable_names(playbook)
    problems = [Problem(f"{name!r} is no variable of {playbook}", element="variables", hint=f"it takes {', '.join(known) or 'none'}")
                for name in variables if name not in known]
    problems += [Problem("has a template", element=f"variable {name}", hint="texts with {{, {% or {# are not taken")
                 for name, value in variables.items() if any(sign in json.dumps(value) for sign in ("{{", "{%", "{#"))]
    if problems:
        raise InputError(problems)


def _holder(job: Job) -> Holder | None:
    try:
        return Holder.from_dict(dict(job.process)) if job.process else None
    except TypeError:  # of another version
        return None
