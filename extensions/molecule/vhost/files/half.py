# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill benito-host at random moments and check that the next run completes its work. Run on a pnode by shared/tasks/script.yml.

In the end the experiment is half built and damaged.
"""

import os
import random
import signal
import subprocess
import sys
import time

from node import EXPERIMENT, HOST, PLAN, benito, nodes, run

chance = random.Random(HOST)


def interrupt(after_s, *command):
    """Start benito-host and kill it after so many seconds."""
    with subprocess.Popen(["benito-host", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)


assert benito("status", "-e", EXPERIMENT)["nodes"][nodes()[0]]["state"] == "missing"
started = time.monotonic()
assert benito("apply", "-e", EXPERIMENT)["changed"]
whole = time.monotonic() - started
if len(sys.argv) > 2:  # leave it half built at the end
    for _round in range(6):
        interrupt(chance.uniform(0, whole), "apply", "-e", EXPERIMENT)
        benito("apply", "-e", EXPERIMENT)
        assert benito("apply", "-e", EXPERIMENT)["changes"] == []
        run("ip", "link", "delete", PLAN["substrates"][0]["bridge"])
    # damage the plan, start the unit and remove the unit file
    benito("apply", "-e", EXPERIMENT)
    benito("start-unit", "-e", EXPERIMENT)
    with open(f"/var/benito/exp/{EXPERIMENT}/host.json", "w", encoding="utf-8") as stream:
        stream.write('{"version": 1, "pid": "../../etc"}')
    for command in ("apply", "status", "probe", "start-commands"):
        assert "host.json" in benito(command, "-e", EXPERIMENT, fails=True)
    os.unlink("/etc/systemd/system/benito-host@.service")
    run("systemctl", "daemon-reload")
