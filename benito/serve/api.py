# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP interface of the service, below /api/v1. Everything here needs the token; app.py sees to that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, ExperimentError
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory
from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.responses import PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ..watching.watcher import Watcher, run_dict
from . import schemas
from .jobs import Job, Jobs
from .watchers import Watchers

PREFIX = "/api/v1"
_TAIL_BYTES = 1 << 20
_NOT_THERE: dict[int | str, dict[str, Any]] = {404: schemas.refused("there is no such experiment, node or run")}
_REFUSED: dict[int | str, dict[str, Any]] = {409: {"model": schemas.Problem, "description": "not in this state"}}

Pid = Annotated[str, Path(description="the project", max_length=100)]
Eid = Annotated[str, Path(description="the experiment", max_length=100)]
Group = Annotated[str | None, Query(description="the group of the project, if the experiment is in one", max_length=100)]
Number = Annotated[int, Path(ge=0, lt=2**63)]


def make_router(watchers: Watchers, jobs: Jobs) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix=PREFIX)

    def found(pid: str, eid: str, group: str | None) -> Watcher:
        name = f"{pid}/{group}/{eid}" if group and group != pid else f"{pid}/{eid}"
        watcher = watchers.get(name)
        if watcher is None:
            raise HTTPException(404, f"there is no experiment {name}")
        return watcher

    def job_of(number: int) -> Job:
        job = jobs.get(number)
        if job is None:
            raise HTTPException(404, f"there is no run {number}")
        return job

    @router.get("/experiments", tags=["experiments"])
    async def list_experiments() -> list[schemas.Summary]:
        """List all experiments."""
        watching = [watcher for name in watchers.names if (watcher := watchers.get(name))]
        return [schemas.Summary(experiment=str(watcher.experiment), **watcher.state, nodes=len(watcher.view.nodes), vhosts=len(watcher.view.vhosts))
                for watcher in watching]

    @router.post("/experiments", status_code=202, tags=["experiments"], responses=_REFUSED)
    async def create_experiment(wanted: schemas.WantedExperiment) -> schemas.JobState:
        """Create an experiment from a topology. The answer is the run that does it."""
        project, _slash, eid = wanted.experiment.rpartition("/")
        directory = ExperimentDirectory(watchers.home, project, eid)
        if directory.exists():
            raise ExperimentError(f"experiment {directory} exists already")
        topology = (wanted.file_name, wanted.topology)
        return _state(jobs.submit(str(directory), "containerize", wanted.settings, "service", topology))

    @router.get("/experiments/{pid}/{eid}", tags=["experiments"], responses=_NOT_THERE)
    async def show_experiment(pid: Pid, eid: Eid, group: Group = None) -> schemas.Snapshot:
        """Show an experiment, its vhosts and its nodes as they are now."""
        return schemas.Snapshot(**found(pid, eid, group).snapshot())

    @router.get("/experiments/{pid}/{eid}/events", tags=["experiments"], responses=_NOT_THERE, response_class=EventSourceResponse)
    async def follow_experiment(pid: Pid, eid: Eid, group: Group = None) -> AsyncIterator[ServerSentEvent]:
        """Follow an experiment: first a snapshot, then each event as it comes. docs/status.md lists the events."""
        watcher = found(pid, eid, group)
        async for event in watcher.events():
            yield ServerSentEvent(event=event["event"], data=event)

    @router.get("/experiments/{pid}/{eid}/nodes/{node}", tags=["nodes"], responses=_NOT_THERE)
    async def show_node(pid: Pid, eid: Eid, node: Annotated[str, Path(max_length=300)], group: Group = None) -> schemas.Node:
        """Show a node. There is one while its experiment has machines."""
        watcher = found(pid, eid, group)
        if node not in watcher.view.nodes:
            raise HTTPException(404, f"experiment {watcher.experiment} has no node of this name on a machine now")
        return schemas.Node(**vars(watcher.view.nodes[node]))

    @router.get("/experiments/{pid}/{eid}/runs", tags=["runs"], responses=_NOT_THERE)
    async def list_experiment_runs(pid: Pid, eid: Eid, group: Group = None) -> list[schemas.PlaybookRun]:
        """List the last runs of playbooks on an experiment, whoever started them. The oldest is first."""
        return [schemas.PlaybookRun(**run_dict(run)) for run in found(pid, eid, group).runs.runs]

    @router.post("/experiments/{pid}/{eid}/runs", status_code=202, tags=["runs"], responses={**_NOT_THERE, **_REFUSED})
    async def begin_run(pid: Pid, eid: Eid, wanted: schemas.WantedRun, group: Group = None) -> schemas.JobState:
        """Run a playbook on an experiment. It begins when those before it, and those of others, have ended."""
        watcher = found(pid, eid, group)
        return _state(jobs.submit(str(watcher.experiment), wanted.playbook, wanted.variables, "service"))

    @router.get("/runs", tags=["runs"])
    async def list_runs() -> list[schemas.JobState]:
        """List the runs that this service was asked for. The oldest is first."""
        return [_state(job) for job in jobs.of()]

    @router.get("/runs/{number}", tags=["runs"], responses=_NOT_THERE)
    async def show_run(number: Number) -> schemas.JobState:
        """Show a run that this service was asked for."""
        return _state(job_of(number))

    @router.get("/runs/{number}/output", tags=["runs"], responses=_NOT_THERE, response_class=PlainTextResponse)
    async def show_output(number: Number) -> Response:
        """Return the output of a run, its last 1 MiB if it is longer."""
        job_of(number)
        try:
            with open(jobs.output(number), "rb") as handle:
                handle.seek(max(0, handle.seek(0, 2) - _TAIL_BYTES))
                text = handle.read()
        except FileNotFoundError:
            text = b""
        return PlainTextResponse(text.decode(errors="replace"))

    @router.delete("/runs/{number}", tags=["runs"], responses={**_NOT_THERE, **_REFUSED})
    async def cancel_run(number: Number) -> schemas.JobState:
        """Cancel a run that waits, or interrupt one as Ctrl-C does."""
        job_of(number)
        return _state(jobs.cancel(number))

    return router


def status_of(error: BenitoError) -> int:
    """Return the HTTP status of an error: 409 where an experiment is not in the right state, 422 where the input is wrong."""
    return 409 if isinstance(error, ExperimentError) else 422


def _state(job: Job) -> schemas.JobState:
    return schemas.JobState(**job.as_dict())
