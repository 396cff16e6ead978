# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long goes on in the background; who began it asks for its progress, in the end for its result.

``exp/PID.EID/jobs/NAME/``: ``progress``, a line for a person; ``result``, JSON, when it has ended; ``log``, what else was said.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable

from ...errors import BenitoError, HostError
from .paths import ExperimentPaths, write_atomically

_folder = ""  # of the job that this process is
_said = ""  # its progress


def begin(paths: ExperimentPaths, act: Callable[[], dict]) -> dict:
    """Have ``act`` done by a process of its own, which does not end with the caller's session.

    Returns {"job": its folder, "pid": its process}. The result is what ``act`` returns or {"error": why not}. Raises HostError.
    """
    import shutil
    import tempfile

    global _folder  # pylint: disable=global-statement
    if not os.path.isdir(paths.directory):
        raise HostError(f"no experiment {paths.experiment} on this host: there is no {paths.directory}")
    jobs = f"{paths.directory}/jobs"
    os.makedirs(jobs, mode=0o700, exist_ok=True)
    for old in os.listdir(jobs):
        if os.path.exists(f"{jobs}/{old}/result"):
            shutil.rmtree(f"{jobs}/{old}", ignore_errors=True)
    folder = tempfile.mkdtemp(dir=jobs)
    pid = os.fork()
    if pid:
        return {"job": folder, "pid": pid}
    _folder = folder
    _leave_session(f"{folder}/log")
    try:
        result = act()
    except (BenitoError, OSError) as exc:
        result = {"error": str(exc)}
    except BaseException as exc:  # pylint: disable=broad-exception-caught
        import traceback

        os.write(2, traceback.format_exc().encode(errors="replace"))
        result = {"error": f"{type(exc).__name__}: {exc}; more of it is in {folder}/log"}
    with contextlib.suppress(HostError):  # the experiment was taken away: nobody asks any more
        write_atomically(f"{folder}/result", json.dumps(result) + "\n")
    os._exit(0)


def progress(text: str) -> None:
    """Say how far the work is. Nothing happens in a process that is no job."""
    global _said  # pylint: disable=global-statement
    if _folder and text != _said:
        _said = text
        with contextlib.suppress(HostError):
            write_atomically(f"{_folder}/progress", text.replace("\n", " ") + "\n")


def _leave_session(log: str) -> None:
    os.setsid()
    for path, flags, number in ((os.devnull, os.O_RDONLY, 0), (log, os.O_WRONLY | os.O_CREAT, 1)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
