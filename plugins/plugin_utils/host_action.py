# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The common part of actions that run benito-host on a vhost: they run it over the connection and report its result.

A module would be sent to the vhost and compiled there for each task. That takes longer than most commands of benito-host, and half a
minute on a vhost under emulation. benito-host is already on the vhost, with its compiled files.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.module_utils.clean_text import NAME_WIDTH, clean_line, clean_text, clean_value
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError, HostError, InputError, Problem
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import PROGRAM, ExperimentPaths, is_experiment
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import program_files, remote_call
from ansible_collections.deter.benito.plugins.module_utils.names import PROJECT_RULE, experiment_name
from ansible_collections.deter.benito.plugins.plugin_utils.becoming_root import missing_password
from ansible_collections.deter.benito.plugins.plugin_utils.progress import ProgressLine, repeated

_JOB = re.compile(r"/var/benito/exp/[A-Za-z0-9._-]+/jobs/[A-Za-z0-9_]+")
_POLL_S, _STEP_S = 3, 0.1
_SHOW_EACH_S = 15
_ABSENT = """echo "{\\"absent\\": \\"$(readlink /usr/bin/python3)\\"}\""""
_NEEDS_PYTHON = """[ -x /usr/bin/python3 ] || { echo '{"error": "there is no /usr/bin/python3: install the package python3"}'; exit 1; }"""
_WAIT = """\
i=0
while [ ! -e {job}/result ] && kill -0 {pid} && [ $i -lt {steps} ]; do sleep {step}; i=$((i + 1)); done
[ ! -e {job}/progress ] || cat {job}/progress
kill -0 {pid} && alive=true || alive=false
[ -e {job}/result ] && cat {job}/result || echo "{{\\"alive\\": $alive}}"
"""
"""Wait until a job has ended, or for some seconds. Print its progress, then its result or whether it runs."""

display = Display()


class NotInstalledError(HostError):
    """The vhost does not have the program. Its Python is ``interpreter``, for example "python3.11"."""

    def __init__(self, message: str, interpreter: str):
        super().__init__(message)
        self.interpreter = interpreter


class HostAction(ActionBase):
    """A task that runs benito-host, for one experiment.

    options           the argument spec of the task's options beside pid and eid
    program           the benito-host that it runs, a path on the vhost
    needs_experiment  whether the task must name an experiment, by pid and eid
    """

    TRANSFERS_FILES = False
    options: dict = {}
    program = PROGRAM
    needs_experiment = True

    def act(self, options: dict, paths: ExperimentPaths) -> dict:
        """Act on the experiment that is named. Return the task's result. Raises BenitoError."""
        raise NotImplementedError

    def act_without_experiment(self, options: dict) -> dict:
        """Act without an experiment. Called only when ``needs_experiment`` is false. Return the task's result. Raises BenitoError."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        super().run(tmp, task_vars)
        self._host = (task_vars or {}).get("inventory_hostname", "")
        spec = {name: {"type": "str", "required": self.needs_experiment} for name in ("pid", "eid")}
        _validated, options = self.validate_argument_spec(argument_spec={**spec, **self.options}, required_together=[("pid", "eid")])
        try:
            if not self.needs_experiment and not options["pid"]:
                return self.act_without_experiment(options)
            return self.act(options, _paths(options))
        except BenitoError as exc:
            return {"failed": True, "changed": False, "msg": str(exc)}
        except AnsibleError as exc:
            wanted = missing_password(exc)
            if not wanted:
                raise
            return {"failed": True, "changed": False, "msg": wanted}

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)

    @property
    def in_background(self) -> tuple[str, ...]:
        """Return the option that runs a long command in the background, so that its progress can be polled. Return () in check mode."""
        return () if self.check_mode else ("--background",)

    def apply_command(self, paths: ExperimentPaths, *arguments: str) -> dict:
        """Run ``benito-host … --json`` and return its result. Raises HostError.

        In check mode, return what it would do. That also works on a host without benito-host.
        """
        program, check = self.program, ["--check"] if self.check_mode else []
        if self.check_mode:
            for path, here in ((program, f"a host without {program}"), (paths.plan, f"a host without {paths.experiment}")):
                if not self.is_there(path):
                    return outcome({"changed": True, "changes": [f"{arguments[0]}: everything, on {here} yet"]})
        with self.show_progress(" ".join(arguments)):
            result = self.run_program(program, *arguments, "-e", paths.experiment, *check)
        return outcome(self._wait_for_job(result) if "job" in result else result)

    def is_there(self, path: str) -> bool:
        """Return whether a file exists on the vhost."""
        return self._run(f"[ -e {shlex.quote(path)} ]")["rc"] == 0

    def run_program(self, program: str, *arguments: str, data: str = "", newest: bool = False) -> dict:
        """Run ``program`` with ``data`` as its input and return its JSON object. Raises HostError with its error message.

        newest  whether this program acts even if the experiment was swapped in with another version
        """
        command = " ".join(shlex.quote(argument) for argument in (program, *arguments, "--json"))
        chosen = "BENITO_VERSION_CHOSEN=1; export BENITO_VERSION_CHOSEN; " if newest else ""
        script = f"if [ -e {shlex.quote(program)} ]; then LC_ALL=C.UTF-8; export LC_ALL; {chosen}exec {command}; fi; {_ABSENT}"
        found = self._json_output(script, data, " ".join((program, *arguments)))
        if "absent" in found:
            raise NotInstalledError(f"{program} is not installed on this host: the role deter.benito.vhost installs it", found["absent"])
        return found

    def run_python(self, text: str, data: dict) -> dict:
        """Run a program text with the Python of benito-host, and return the JSON object that it prints. Raises HostError."""
        return self._json_output(f"{_NEEDS_PYTHON}; exec /usr/bin/python3 -IS -c {shlex.quote(text)}", json.dumps(data), "/usr/bin/python3")

    def run_task(self, module: str, options: dict) -> dict:
        """Run ``run_task`` of a module of benito-host on the vhost, which need not have benito-host installed. Raises HostError."""
        return self.run_python(remote_call(), {"files": program_files()[1], "module": module, "options": options})

    def push_file(self, path: str, target: str, what: str) -> None:
        """Copy a file from the controller to the vhost, into a directory that only benito-host's user can enter. Raises HostError.

        what  the name of the file in progress lines
        """
        with self.show_progress(what):
            if not self._connection.become or self._get_remote_user() == self.get_become_option("become_user"):
                self._transfer_file(path, target)
                return
            folder = self._make_tmp_path()  # files are copied as the user who logs in
            try:
                landed = self._transfer_file(path, self._connection._shell.join_path(folder, "file"))
                here, there = shlex.quote(landed), shlex.quote(target)
                done = self._run(f'chown "$(id -u):$(id -g)" {here} && chmod 0600 {here} && mv -fT {here} {there}')
                if done["rc"]:
                    raise HostError(f"{what}: {_said(done)}")
            finally:
                self._remove_tmp_path(folder)

    @contextmanager
    def show_progress(self, what: str) -> Iterator[None]:
        """Show a progress line regularly while the block runs, if that takes long."""
        began = time.monotonic()
        with repeated(lambda: self._show(what, began), _POLL_S, _SHOW_EACH_S):
            yield

    def _show(self, what: str, began: float) -> None:
        display.display(ProgressLine(what, self._host, time.monotonic() - began))

    def _json_output(self, script: str, data: str, what: str) -> dict:
        done = self._run(script, data)
        found = _last_object(done["stdout"])
        if found is None:
            raise HostError(f"{what} failed with exit status {done['rc']}: {_said(done)}")
        if "error" in found:
            raise HostError(clean_text(found["error"]))
        return found

    def _wait_for_job(self, job: dict) -> dict:
        """Wait for a job to end, show its progress, return its result. Raises HostError."""
        path, pid, host = str(job["job"]), job.get("pid"), self._host
        if not _JOB.fullmatch(path):
            raise HostError(f"{path!r} is not the folder of a job")
        if not isinstance(pid, int) or pid < 1:
            raise HostError(f"{pid!r} is not the process of a job")
        wait = _WAIT.format(job=shlex.quote(path), pid=pid, steps=int(_POLL_S / _STEP_S), step=_STEP_S)
        began, shown, shown_at, ended = time.monotonic(), "", time.monotonic(), False
        while True:
            done = self._run(f"exec 2>/dev/null; {wait}")
            result = _last_object(done["stdout"])
            if result is None:
                raise HostError(f"the job {path} cannot be polled: {_said(done)}")
            if "error" in result:
                raise HostError(clean_text(result["error"]))
            if "alive" not in result:
                return result
            if ended:
                raise HostError(f"benito-host was killed (process {pid}); its last output is in {path}/log on {host}")
            ended = not result["alive"]  # it may have written its result in between: poll once more
            progress = next((line for line in done["stdout"].splitlines() if line and not line.startswith("{")), "") or "at work"
            now = time.monotonic()
            if progress != shown or now - shown_at >= _SHOW_EACH_S:
                self._show(progress, began)
                shown, shown_at = progress, now

    def _run(self, script: str, data: str = "") -> dict:
        """Run a shell script on the vhost. Return rc, stdout and stderr."""
        if self._is_pipelining_enabled("new"):  # without a terminal, which would mix output and errors
            return self._low_level_execute_command(script, in_data=data.encode() or b"\n")
        if not data:
            return self._low_level_execute_command(script)
        folder = self._make_tmp_path()
        try:
            path = self._transfer_data(self._connection._shell.join_path(folder, "input"), data)
            self._fixup_perms2((folder, path), execute=False)
            return self._low_level_execute_command(f"exec <{shlex.quote(path)}; {script}")
        finally:
            self._remove_tmp_path(folder)


def outcome(result: dict) -> dict:
    """Return the result of benito-host as the task reports it: with a diff that lists what changed."""
    changes = result.get("changes") or []
    if not isinstance(changes, list):
        raise HostError(f"the host answered {clean_line(changes, NAME_WIDTH)!r} where it lists changes")
    return {**result, "diff": {"before": "", "after": "".join(f"{change}\n" for change in changes)}}


def _said(done: dict) -> str:
    """Return what a failed command printed."""
    return clean_text((done["stderr"] or done["stdout"]).strip())


def _paths(options: dict) -> ExperimentPaths:
    """Return the paths of the experiment that is named. Raises InputError."""
    experiment = experiment_name(options["pid"], options["eid"])
    if not is_experiment(experiment):
        raise InputError(Problem(f"{experiment!r} does not name an experiment", hint=f"pid and eid: {PROJECT_RULE}"))
    return ExperimentPaths(experiment)


def _last_object(text: str) -> dict | None:
    """Return the JSON object in the last line that begins with one, or None. A login may print other lines before.

    Its texts are cleaned, because a vhost may be a node.
    """
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return clean_value(json.loads(line))
            except (ValueError, RecursionError):
                return None
    return None
