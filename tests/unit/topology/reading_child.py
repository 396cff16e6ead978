# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one topology file after another in a process limited to 500 MB, and print the outcome and cost of each.

On standard input: a line of JSON with ``name`` and ``size``, then that many bytes. On standard output: a line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import traceback

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import read_topology
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.writer import write_topdl

MEMORY = 500 * 2**20


def seconds_used():
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def outcome(path, name):
    """Read a file and return {"said": messages, "read": whether it was accepted}, or {"traceback": text}."""
    try:
        topology, warnings = read_topology(path, name)
        write_topdl(topology)
        return {"said": [str(warning) for warning in warnings], "read": True}
    except InputError as exc:
        return {"said": [str(problem) for problem in exc.problems], "read": False}
    except BaseException:  # whatever it is, the test is to see it
        return {"traceback": traceback.format_exc()[-4000:]}


def main():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        for line in iter(sys.stdin.buffer.readline, b""):
            asked = json.loads(line)
            path = os.path.join(folder, asked["name"])
            with open(path, "wb") as handle:
                handle.write(sys.stdin.buffer.read(asked["size"]))
            before = seconds_used()
            result = outcome(path, asked["name"])
            largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            print(json.dumps({**result, "seconds": seconds_used() - before, "megabytes": largest / 1024}), flush=True)


main()
