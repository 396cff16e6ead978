# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a job: it runs the playbook and writes how it ended. ``python -m benito.serve.job FILE BENITO_HOME LOCK``

LOCK is a descriptor with the job's lock, which this process has until it ends.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from ..collection import make_importable

make_importable()

from ansible_collections.deter.benito.plugins.module_utils.experiment.locks import Holder  # noqa: E402  (needs the collection)

from ..runs import run_playbook  # noqa: E402  (needs the collection)
from ..watching.view import now  # noqa: E402  (needs the collection)
from ..which import split_name  # noqa: E402  (needs the collection)
from .jobs import FAILED, INTERRUPTED, RUNNING, SUCCESSFUL, read_job, write_job  # noqa: E402  (needs the collection)


def main(path: Path, home: str) -> None:
    """Run a job's playbook. Its output goes to this process's own."""
    job = replace(read_job(path), status=RUNNING, began=now(), process=Holder.of_process().as_dict())
    write_job(path, job)
    pid, eid = split_name(job.experiment)
    sys.stdin = None  # so that ansible-runner reads the output, too, and knows the failures
    try:
        run = run_playbook(job.playbook, {"pid": pid, "eid": eid, **job.variables}, home, show=True)
        job = replace(job, status=FAILED if run.status else SUCCESSFUL, exit_status=run.status, failures=run.failures)
    except KeyboardInterrupt:
        job = replace(job, status=INTERRUPTED)
    except BaseException as exc:
        job = replace(job, status=FAILED, failures=(("", f"{type(exc).__name__}: {exc}"),))
        raise
    finally:
        write_job(path, replace(job, ended=now(), process=None))


if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[3]), False)
    main(Path(sys.argv[1]), sys.argv[2])
