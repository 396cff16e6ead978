# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP interface gives and takes, as its description in OpenAPI has it. docs/status.md explains the fields of nodes and vhosts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class Problem(BaseModel):
    """Why a request was not met."""

    detail: str


class Node(BaseModel):
    """The state of a node."""

    kind: str
    vhost: str
    state: Literal["unknown", "running", "booted", "dead", "paused", "missing", "ghost"]
    exit_code: int | None
    start_command: str
    exit_status: int | None
    since: str


class Vhost(BaseModel):
    """The state of a vhost."""

    reachable: bool
    reason: str
    startup: tuple[int, str] | None
    since: str


class Phase(BaseModel):
    """A phase of a run."""

    name: str
    began: str
    ended: str
    done: int | None
    of: int | None
    detail: str
    failed: int


class PlaybookRun(BaseModel):
    """A run of a playbook on an experiment, whoever started it."""

    name: str
    playbook: str
    by: str
    began: str
    ended: str
    status: str
    phases: list[Phase]
    failures: list[dict[str, Any]]


class Summary(BaseModel):
    """An experiment in the list."""

    experiment: str
    state: str
    since: str
    reason: str
    nodes: int
    vhosts: int


class Snapshot(BaseModel):
    """An experiment with its nodes and vhosts, which are there while it has machines."""

    event: Literal["snapshot"]
    time: str
    experiment: str
    state: str
    since: str
    reason: str
    run: PlaybookRun | None
    vhosts: dict[str, Vhost]
    nodes: dict[str, Node]


class Failure(BaseModel):
    """Why a job failed on a host."""

    host: str
    message: str


class JobState(BaseModel):
    """A run that this service was asked for."""

    number: int
    experiment: str
    playbook: str
    variables: dict[str, Any]
    by: str
    status: Literal["queued", "running", "successful", "failed", "interrupted", "cancelled"]
    created: str
    began: str
    ended: str
    exit_status: int | None
    failures: list[Failure]


class WantedRun(BaseModel):
    """A run to begin."""

    model_config = ConfigDict(extra="forbid")

    playbook: Literal["swapin", "swapout", "terminate", "node_reboot"]
    variables: dict[str, Any] = Field(default={}, description="those that docs/playbooks.md lists for the playbook", max_length=50)


class WantedExperiment(BaseModel):
    """An experiment to create."""

    model_config = ConfigDict(extra="forbid")

    experiment: str = Field(description="PID/EID, or PID/GID/EID for one of a group", max_length=200, examples=["DeterTest/first"])
    topology: str = Field(description="the text of the file: TopDL, NS, GraphML or containerlab", min_length=1)
    file_name: str = Field(default="topology", description="the file's name, which decides where the text may be of two formats", pattern=NAME)
    settings: dict[str, Any] = Field(default={}, description="any setting of docs/site.md by its name", max_length=200)


def refused(description: str) -> dict[str, Any]:
    """Return the description of an answer that is a Problem, whatever the right answers are."""
    return {"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
