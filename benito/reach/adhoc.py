# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one Ansible module on the hosts that match a pattern, by ``ansible`` itself. What each host answers is handed on as it comes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text

from ..errors import RunError
from ..runs import environment, signals_forwarded

_FORKS = 25
_LARGEST = 1 << 26  # bytes of a result; ansible-runner drops larger ones, by default those of 700,000
_NO_HOSTS = ("no hosts to target", "No hosts matched")
_ENDS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")


@dataclass(frozen=True)
class Answer:
    """What a host answered.

    result       of the module
    unreachable  whether Ansible did not come to the host; ``result`` then has only a message
    """

    host: str
    result: Mapping[str, Any]
    unreachable: bool = False

    @property
    def message(self) -> str:
        """Return the message of Ansible, "" if there is none."""
        return str(self.result.get("msg") or "")


def run_module(module: str, arguments: str, pattern: str, home: str, variables: Mapping[str, Any], *options: str,
               heard: Callable[[Answer], None] = lambda answer: None) -> list[Answer]:
    """Run a module on the hosts of an Ansible host pattern, 25 at a time, and return their answers as they came.

    home       BENITO_HOME of the run
    variables  extra variables
    options    further ones of ``ansible``
    heard      called with each answer when it comes

    No answer means that no host matches. Raises RunError when Ansible itself fails.
    """
    from ansible_runner.interface import init_command_config  # it takes a third of a second

    answers: list[Answer] = []

    def listen(event: dict[str, Any]) -> bool:
        if event.get("event") in _ENDS:
            data = event["event_data"]
            answers.append(Answer(data["host"], data.get("res") or {}, event["event"] == "runner_on_unreachable"))
            heard(answers[-1])
        return False

    program = Path(sys.executable).with_name("ansible")
    with tempfile.TemporaryDirectory(prefix="benito-") as folder:  # 0700
        extra = Path(folder, "variables.json")
        extra.write_text(json.dumps(dict(variables)), encoding="utf-8")
        words = ["-m", module, "-a", arguments, "-f", str(_FORKS), "-e", f"@{extra}", *options, "--", pattern]
        runner = init_command_config(str(program) if program.exists() else "ansible", words, private_data_dir=folder, quiet=True, event_handler=listen,
                                     settings={"pexpect_timeout": 1})
        runner.config.cwd = os.getcwd()
        runner.config.env = {**environment(home, runner.config.env), "ORIGINAL_STDOUT_CALLBACK": "minimal", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
                             "MAX_EVENT_RES": str(_LARGEST)}
        with signals_forwarded() as received:
            runner.run()
        if received:
            raise KeyboardInterrupt
        said = clean_text(runner.stdout.read()).strip() if not answers else ""
        if runner.rc and said and not any(text in said for text in _NO_HOSTS):
            raise RunError("ansible", runner.rc, (), f"ansible failed: {said}")
    return answers
