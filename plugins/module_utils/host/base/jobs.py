# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background jobs. The controller polls a job's progress and reads its result at the end.

A job has the folder ``exp/PID.EID/jobs/NAME/``. It holds ``progress``, one line for a person; ``log``, other output;
and ``result``, JSON, once the job has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable

from ...clean_text import clean_line
from ...errors import BenitoError, HostError
from .os_errors import message
from .paths import ExperimentPaths, write_atomically

_folder = ""  # of the job that this process runs, if any
_reported = ""  # the job's last progress line


def begin(paths: ExperimentPaths, act: Callable[[], dict]) -> dict:
    """Run ``act`` in a process of its own, which outlives the caller's session.

    Return {"job": its folder, "pid": its process id}. The job's result is the value of ``act``, or {"error": message}. Raises HostError.
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
        result = {"error": message(exc)}
    except BaseException as exc:  # pylint: disable=broad-exception-caught
        import traceback

        os.write(2, traceback.format_exc().encode(errors="replace"))
        result = {"error": f"unexpected error {type(exc).__name__}: {exc}; the traceback is in {folder}/log"}
    with contextlib.suppress(HostError):  # the experiment was removed: nobody polls any more
        write_atomically(f"{folder}/result", json.dumps(result) + "\n")
    os._exit(0)


def progress(text: str) -> None:
    """Write the job's progress, one line for a person. Does nothing in a process that is not a job."""
    global _reported  # pylint: disable=global-statement
    text = clean_line(text)
    if _folder and text != _reported:
        _reported = text
        with contextlib.suppress(HostError):
            write_atomically(f"{_folder}/progress", text + "\n")


def _leave_session(log: str) -> None:
    os.setsid()
    for path, flags, number in ((os.devnull, os.O_RDONLY, 0), (log, os.O_WRONLY | os.O_CREAT, 1)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.dup2(1, 2)
