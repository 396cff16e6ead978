# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The experiment directory (design §6): its place, its files, its lock and its state.

All changes to it are made here, and each is whole or not at all. A new directory or file gets a temporary name in the same folder
and is renamed when it is complete. Directories are 0700, files 0600.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import files as on_disk
from ..clean_text import clean_text
from ..errors import ExperimentError, InputError, Problem
from ..names import PROJECT_RULE, is_project, is_project_name
from . import events
from .locks import Holder, locked

SWAPPED, ACTIVATING, ACTIVE, SWAPPING, FAILED = "swapped", "activating", "active", "swapping", "failed"
STATES = (SWAPPED, ACTIVATING, ACTIVE, SWAPPING, FAILED)


def benito_home(option: str | None = None, chdir: str = "") -> str:
    """Return the absolute path of BENITO_HOME: the option, else the environment variable, else ``~/.benito``.

    chdir  folder of a relative path, by default the working directory
    """
    return os.path.abspath(os.path.join(chdir, os.path.expanduser(option or os.environ.get("BENITO_HOME") or "~/.benito")))


@dataclass(frozen=True)
class ExperimentState:
    """The content of state.json.

    state   one of STATES
    since   when it became so, local time with offset, ISO 8601
    reason  why it failed, "" in every other state
    holder  the run that works on it while it is activating or swapping, else None
    more    any other values that the caller of ``write_state`` keeps there
    """

    state: str
    since: str
    reason: str = ""
    holder: Holder | None = None
    more: dict = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.state} since {self.since}" + (f": {self.reason}" if self.reason else "")


class ExperimentDirectory:
    """The directory of one experiment below BENITO_HOME. Making the object touches no file.

    project  its project, or a group of it as ``PID/GID``; the group of the project's own name is the project itself, as on DETER

    No two experiments of a project have the same eid, even in different groups, because hosts know them by pid and eid. Raises InputError
    when project or eid is not a valid name.
    """

    def __init__(self, home: str | None, project: str, eid: str):
        rules = (("pid", project, is_project, f"{PROJECT_RULE}, or two such as PROJECT/GROUP"), ("eid", eid, is_project_name, PROJECT_RULE))
        bad = [Problem(f"{name!r} is not a name", element=what, hint=rule) for what, name, right, rule in rules if not (isinstance(name, str) and right(name))]
        if bad:
            raise InputError(bad)
        self.home, self.eid = benito_home(home), eid
        self.pid, _slash, gid = project.partition("/")
        self.gid = gid if gid != self.pid else ""
        self.project = f"{self.pid}/{self.gid}" if self.gid else self.pid
        self._parent = _parent_of(self.home, self.pid, self.gid)
        self.path = os.path.join(self._parent, eid)

    def __str__(self) -> str:
        return f"{self.project}/{self.eid}"

    # -- paths -----------------------------------------------------------

    def file(self, *relative: str) -> str:
        """Return the absolute path of a file or folder inside the directory."""
        return os.path.join(self.path, *relative)

    @property
    def annotated(self) -> str:
        return self.file("annotated.xml")

    @property
    def partitioned(self) -> str:
        return self.file("partitioned.xml")

    @property
    def assignment(self) -> str:
        return self.file("assignment.yaml")

    @property
    def hosts(self) -> str:
        return self.file("hosts")

    @property
    def routes(self) -> str:
        return self.file("route")

    @property
    def site(self) -> str:
        return self.file("site.yml")

    @property
    def inventory(self) -> str:
        return self.file("inventory.json")

    @property
    def plans(self) -> str:
        return self.file("plan")

    def plan(self, vhost: str) -> str:
        return self.file("plan", f"{vhost}.json")

    @property
    def allocation(self) -> str:
        return self.file("allocation.json")

    @property
    def state(self) -> str:
        return self.file("state.json")

    @property
    def activity_log(self) -> str:
        return self.file("activity.log")

    @property
    def secrets(self) -> str:
        return self.file("secrets")

    # -- existence ---------------------------------------------------------

    def exists(self) -> bool:
        """Return whether the experiment's path exists, even if the experiment is broken."""
        return os.path.lexists(self.path)

    def require(self) -> ExperimentDirectory:
        """Return ``self``. Raises ExperimentError that lists the existing experiments when this one does not exist."""
        if not self.exists():
            there = experiments(self.home)
            names = ", ".join(f"{project}/{eid}" for project, eid in there[:10]) + (" …" if len(there) > 10 else "")
            known = f"there are {names}" if there else "there is none yet"
            raise ExperimentError(f"experiment {self} does not exist below {self.home}: {known}")
        return self

    def refuse_existing(self) -> None:
        """Raise ExperimentError when the experiment's path exists, or when another group of the project has an experiment of its name."""
        others = [project for project, eid in experiments(self.home) if eid == self.eid and project.partition("/")[0] == self.pid and project != self.project]
        if others:
            raise ExperimentError(f"experiment {others[0]}/{self.eid} exists already, and no two of a project have one name (choose another eid)")
        if self.exists():
            raise ExperimentError(f"experiment {self} exists already in {self.path}; it was left untouched (choose another eid, or terminate that one first)")

    def create(self, files: dict[str, str | bytes], directories: tuple[str, ...] = ("secrets",)) -> None:
        """Make the directory with ``files``, whole or not at all.

        files        {path inside the directory: content}
        directories  folders that are made even if they stay empty

        Raises ExperimentError when the experiment exists, is being made by another run, or cannot be written (no space, no permission,
        read-only). After an exception or a signal nothing of it is left.
        """
        with on_disk.signals_as_exceptions(), self.lock():
            self.refuse_existing()
            with _explained(f"cannot create experiment {self} in {self.path}"):
                on_disk.create_tree(self.path, files, directories, self._new_prefix)

    def remove(self) -> None:
        """Remove the directory, and the project's folders if they are then empty.

        The directory is renamed first, so that a partly removed one is never mistaken for an experiment. Raises ExperimentError.
        """
        self.require()
        with self.lock(), _explained(f"cannot remove experiment {self}"):
            old = tempfile.mkdtemp(prefix=self._new_prefix, dir=self._parent)
            os.rename(self.path, os.path.join(old, "old"))
            events.append(os.path.join(old, "old"), events.state_event(events.TERMINATED))
            shutil.rmtree(old)
        on_disk.remove_empty(self._parent, self.home)

    # -- lock ----------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[ExperimentDirectory]:
        """Keep every other run away from this experiment, also from creating it.

        Raises ExperimentError at once, naming the holder, when another run has it. Unfinished files of crashed runs are removed before
        the block runs. The same process may not lock twice.
        """
        with contextlib.ExitStack() as stack:
            with _explained(f"cannot lock experiment {self} below {self.home}"):
                stack.enter_context(on_disk.parents_while_needed(self._parent))
                locks = _parent_of(self.home, self.pid)  # for all groups of the project
                stack.enter_context(on_disk.parents_while_needed(locks))
                stack.enter_context(locked(os.path.join(locks, f".{self.eid}.lock"), f"experiment {self}"))
            self._remove_leftovers()
            yield self

    @property
    def _new_prefix(self) -> str:
        return f".{self.eid}{on_disk.NEW}"

    def _remove_leftovers(self) -> None:
        for directory, prefix in ((self._parent, self._new_prefix), (self.path, on_disk.NEW), (self.plans, on_disk.NEW)):
            with contextlib.suppress(OSError):
                for name in os.listdir(directory):
                    path = os.path.join(directory, name)
                    if name.startswith(prefix):
                        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)

    # -- single files --------------------------------------------------------

    def read(self, *relative: str) -> str:
        """Return the text of a file of the experiment. Raises ExperimentError when it cannot be read."""
        with _explained(f"cannot read experiment {self}"), open(self.file(*relative), encoding="utf-8") as handle:
            try:
                return handle.read()
            except UnicodeDecodeError as exc:
                raise ExperimentError(f"cannot read experiment {self}: {handle.name} is broken, it is not UTF-8: {_BROKEN_HINT}") from exc

    def write(self, relative: str, content: str | bytes) -> bool:
        """Write one file, whole or not at all. Return whether its content changed. Raises ExperimentError."""
        path, data = self.file(relative), on_disk.as_bytes(content)
        with _explained(f"cannot write {path}"):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as handle:
                if handle.read() == data:
                    return False
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            on_disk.replace_file(path, data)
        return True

    def differs(self, relative: str, content: str | bytes) -> bool:
        """Return whether ``write`` would change the file. Raises ExperimentError."""
        with _explained(f"cannot read {self.file(relative)}"):
            try:
                with open(self.file(relative), "rb") as handle:
                    return handle.read() != on_disk.as_bytes(content)
            except FileNotFoundError:
                return True

    def discard(self, *relative: str) -> bool:
        """Remove a file or folder of the experiment. Return whether it existed. Raises ExperimentError."""
        path = self.file(*relative)
        with _explained(f"cannot remove {path}"):
            try:
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
            except FileNotFoundError:
                return False
        return True

    # -- state ---------------------------------------------------------------

    def read_state(self) -> ExperimentState:
        """Read state.json. Raises ExperimentError when it is missing or invalid."""
        self.require()
        try:
            data = json.loads(self.read("state.json"))
            state = ExperimentState(data.pop("state"), data.pop("since"), data.pop("reason", ""), Holder.from_dict(data.pop("holder", None)), data)
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ExperimentError(f"{self.state} is broken ({exc}): {_BROKEN_HINT}") from exc
        if state.state not in STATES:
            raise ExperimentError(f"{self.state} says {state.state!r}, which is no state of an experiment: {_BROKEN_HINT}")
        return state

    def write_state(self, state: str, reason: str = "", holder: Holder | None = None, **more: Any) -> None:
        """Set the experiment's state, log it, and record it as an event. ``more`` is stored unchanged and must be serialisable as JSON.

        Raises ExperimentError when it cannot be written.
        """
        self.require()
        self.write("state.json", state_json(state, reason, holder, **more))
        self.log_activity(f"{state}: {reason}" if reason else state)
        self.record(events.state_event(state, reason))

    def begin(self, state: str, allowed: tuple[str, ...], holder: Holder, **more: Any) -> ExperimentState:
        """Start an operation: enter ``activating`` or ``swapping`` in the name of ``holder``. Return the state before.

        allowed  the states from which it may start; it may also start from activating or swapping if the run that
                 left the experiment so no longer lives

        Raises ExperimentError when another run works on the experiment, or its state is not allowed.
        """
        self.require()
        with self.lock():
            before = self.read_state()
            if before.holder and before.holder != holder and before.holder.lives():
                raise ExperimentError(f"experiment {self} is {before.state}: {before.holder} is at it since {before.since}")
            if before.state not in allowed and before.state not in (ACTIVATING, SWAPPING):
                raise ExperimentError(f"experiment {self} is {before}; this needs {' or '.join(allowed)}")
            self.write_state(state, holder=holder, **more)
            return before

    def record(self, *found: dict[str, Any]) -> bool:
        """Append events to events.jsonl. Return whether they were written: no operation fails because they were not."""
        return events.append(self.path, *found)

    def log_activity(self, text: str) -> None:
        """Append ``text`` to activity.log, each line with the time. Raises ExperimentError."""
        with _explained(f"cannot write {self.activity_log}"):
            descriptor = os.open(self.activity_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(activity_lines(text).encode())


_BROKEN_HINT = "swap out puts it right, or terminate the experiment"


def experiments(home: str | None = None) -> list[tuple[str, str]]:
    """Return every (project or PID/GID, eid) below BENITO_HOME, sorted. Return [] when there is none or the folder cannot be read."""
    home, found = benito_home(home), []
    for pid in filter(is_project_name, _listed(os.path.join(home, "proj"))):
        for gid in ("", *filter(is_project_name, _listed(os.path.join(home, "proj", pid, "groups")))):
            found += [(f"{pid}/{gid}" if gid else pid, eid) for eid in _listed(_parent_of(home, pid, gid)) if is_project_name(eid)]
    return sorted(found)


def _parent_of(home: str, pid: str, gid: str = "") -> str:
    """Return the folder with the experiments of a project, or of one of its groups."""
    return os.path.join(home, "proj", pid, *(("groups", gid) if gid else ()), "exp")


def _listed(directory: str) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(directory)
    return []


def now() -> str:
    """Return the local time with its offset, to the second, in ISO 8601."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


def state_json(state: str, reason: str = "", holder: Holder | None = None, **more: Any) -> str:
    """Return the text of state.json. An empty ``reason`` and a missing ``holder`` are left out."""
    data = {"state": state, "since": now(), **({"reason": clean_text(reason)} if reason else {}), **({"holder": holder.as_dict()} if holder else {}), **more}
    return json.dumps(data, indent=1) + "\n"


def activity_lines(text: str) -> str:
    """Return ``text`` as lines of activity.log. Each begins with the time. The text may come from a node, so it is cleaned."""
    stamp = now()
    return "".join(f"{stamp} {line}\n" for line in clean_text(text).rstrip("\n").split("\n"))


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn an OSError in the block into an ExperimentError. Its message names the action ``what`` and the system's error."""
    try:
        yield
    except OSError as exc:
        where = f" ({exc.filename})" if exc.filename and str(exc.filename) not in what else ""
        raise ExperimentError(f"{what}: {exc.strerror or exc}{where}") from exc
