# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks of the collection by ansible-runner."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as BadConfiguration
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text

from .collection import make_importable
from .errors import RunError

CALLBACK = "deter.benito.progress"
REPEAT_S = 5.0  # ansible-playbook needs less to end
_FAILED = ("runner_on_failed", "runner_on_unreachable")


@dataclass(frozen=True)
class Run:
    """A playbook run that has ended.

    playbook  its name without the collection's
    status    exit status of ansible-playbook
    failures  (host, message) of each failed task and unreachable machine, () where the output went to the terminal
    results   [(task, host, result)] of every task, likewise
    """

    playbook: str
    status: int
    failures: tuple[tuple[str, str], ...] = ()
    results: tuple[tuple[str, str, dict[str, Any]], ...] = ()

    def require(self, title: str) -> Run:
        """Return ``self``. Raises RunError with ``title`` if the playbook failed."""
        if self.status:
            raise RunError(self.playbook, self.status, self.failures, title)
        return self

    def result(self, task: str) -> dict[str, Any]:
        """Return the last result of the task, {} if it did not run."""
        return next((result for name, _host, result in reversed(self.results) if name == task), {})


def run_playbook(name: str, variables: Mapping[str, Any], home: str, *, show: bool = False, options: tuple[str, ...] = ()) -> Run:
    """Run ``deter.benito.<name>`` with extra variables and return how it ended.

    home     BENITO_HOME of the run
    show     whether its output goes to this program's own, as it comes
    options  further options of ansible-playbook

    The working directory is the caller's. Ctrl-C and SIGTERM reach ansible-playbook, which ends as it does by itself; then KeyboardInterrupt is raised.
    """
    with tempfile.TemporaryDirectory(prefix="benito-run-") as folder:  # 0700
        return _run(name, variables, home, show, options, folder)


def _run(name: str, variables: Mapping[str, Any], home: str, show: bool, options: tuple[str, ...], folder: str) -> Run:
    from ansible_runner.interface import init_command_config  # it takes a third of a second

    extra = Path(folder, "variables.json")
    extra.write_text(json.dumps(dict(variables)), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    events: list[dict[str, Any]] = []

    def keep(event: dict[str, Any]) -> bool:
        events.append(event)
        return False  # and write no file

    direct = show and all(map(_is_file, (sys.stdin, sys.stdout, sys.stderr)))
    streams = {"input_fd": sys.stdin, "output_fd": sys.stdout, "error_fd": sys.stderr} if direct else {}
    runner = init_command_config(
        str(program) if program.exists() else "ansible-playbook", [f"deter.benito.{name}", "-e", f"@{extra}", *options],
        private_data_dir=folder, quiet=not show, event_handler=keep, settings={"pexpect_timeout": 1}, **streams,
    )
    runner.config.cwd = os.getcwd()
    runner.config.env = environment(home, None if direct else runner.config.env)
    sys.stdout.flush()
    with signals_forwarded() as received:
        runner.run()
    if received:
        raise KeyboardInterrupt
    failures = tuple(
        (data["host"], _message(data["res"])) for event in events
        if event.get("event") in _FAILED and not (data := event["event_data"]).get("ignore_errors")
    )
    results = tuple((data["task"], data["host"], data["res"]) for event in events if "res" in (data := event.get("event_data") or {}))
    return Run(name, runner.rc, failures, results)


def environment(home: str, runners: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a run: the user's, with what the collection needs where the user has not said otherwise.

    runners  the environment that ansible-runner made, of which its callback is kept; None for a run without it
    """
    ours = make_importable()
    env = dict(os.environ)
    env["BENITO_HOME"] = home
    paths = env.get("ANSIBLE_COLLECTIONS_PATH", "")
    root = str(ours.parents[2])
    configured = _configured()
    if not configured:
        env["ANSIBLE_CONFIG"] = str(ours / "ansible.cfg")
    if root not in paths.split(os.pathsep):
        env["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(filter(None, [root, paths or configured.get("collections_path", "")]))
    if "inventory" not in configured:
        env.setdefault("ANSIBLE_INVENTORY", str(ours / "inventory"))
    env.setdefault("ANSIBLE_LOCALHOST_WARNING", "False")
    if "stdout_callback" not in configured:
        env.setdefault("ANSIBLE_STDOUT_CALLBACK", CALLBACK)
    if runners is not None:
        env["ORIGINAL_STDOUT_CALLBACK"] = env.get("ANSIBLE_STDOUT_CALLBACK", CALLBACK)
        env |= {name: runners[name] for name in ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACK_PLUGINS", "AWX_ISOLATED_DATA_DIR") if name in runners}
    return env


def _configured() -> dict[str, str]:
    """Return the user's section [defaults] of Ansible's configuration, {} if there is no configuration."""
    from ansible.config.manager import find_ini_config_file  # it takes a while

    path = find_ini_config_file()
    if not path:
        return {}
    parser = ConfigParser(interpolation=None, strict=False)
    with contextlib.suppress(BadConfiguration, OSError, UnicodeDecodeError):  # ansible-playbook reports it
        parser.read(os.fsdecode(path))
    found = dict(parser["defaults"]) if parser.has_section("defaults") else {}
    return found or {"": ""}


def _is_file(stream: Any) -> bool:
    """Return whether a stream of this program can be another program's as well. That of a notebook cannot."""
    try:
        return stream.fileno() >= 0
    except (AttributeError, OSError, ValueError):
        return False


@contextlib.contextmanager
def signals_forwarded() -> Iterator[list[int]]:
    """Send SIGINT and SIGTERM on to the children while the block runs. Yield the list of those that came.

    A child that has not ended after REPEAT_S seconds gets the signal again. Python forgets one that comes while it forks, and ansible-playbook forks often.
    """
    received: list[int] = []
    over = threading.Event()

    def send(number: int, spare: bool) -> None:
        for child in _children():
            with contextlib.suppress(ProcessLookupError):
                if not (spare and os.getpgid(child) == os.getpgrp()):
                    os.kill(child, number)

    def insist(number: int) -> None:
        while not over.wait(REPEAT_S):
            send(number, spare=False)

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        send(number, spare=number == signal.SIGINT and _terminal_sends_it())
        if len(received) == 1:
            threading.Thread(target=insist, args=(number,), daemon=True).start()

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield received
        return
    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal_sends_it() -> bool:
    """Return whether this is the terminal's foreground process group, to all of which it sends Ctrl-C."""
    try:
        with open("/dev/tty", "rb") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _children() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def _message(result: Mapping[str, Any]) -> str:
    """Return why a task failed, as plain text."""
    text = result.get("msg") or result.get("stderr") or "failed without a message"
    return clean_text("\n".join(map(str, text)) if isinstance(text, list) else str(text)).strip()
