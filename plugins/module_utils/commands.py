# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Execution of commands on this machine, for the controller's half."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from typing import Any

from .errors import HostError

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command: str, stdin: str = "", check: bool = True, seconds: float = 120,
        keep_environment: bool = False) -> subprocess.CompletedProcess[str]:
    """Run ``command`` in a clean environment. Return its exit status and its output as text.

    Output goes through files, not pipes: a daemon that keeps a pipe open must not make us wait.
    Raises HostError with the end of the command's output when it fails (unless ``check`` is false) or takes longer than ``seconds``.
    """
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    if keep_environment:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": PATH}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        try:
            done = subprocess.run(command, stdin=given, stdout=out, stderr=err, env=environment, timeout=seconds, check=False, cwd="/")
        except FileNotFoundError as exc:
            raise HostError(f"the command {command[0]} is not installed on this machine") from exc
        except subprocess.TimeoutExpired as exc:
            raise HostError(f"{' '.join(command)} did not end within its timeout of {seconds:g} s") from exc
        out.seek(0)
        err.seek(0)
        result = subprocess.CompletedProcess(command, done.returncode, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
    if check and result.returncode:
        output = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()[-5:]
        raise HostError(f"{' '.join(command)} failed with exit status {result.returncode}: {' / '.join(output)}")
    return result


def run_json(*command: str) -> Any:
    """Return the JSON that ``command`` prints, an empty list when it prints nothing. Raises HostError."""
    return json.loads(run(*command).stdout or "[]")
