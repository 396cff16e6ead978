# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the scenarios' scripts have in common; they are run behind it on a pnode. Python 3.9, standard library."""

import json
import os
import subprocess
import sys
import time

EXPERIMENT = sys.argv[1]
HOST = os.uname().nodename
PLAN = json.load(open(f"/var/benito/exp/{EXPERIMENT}/host.json", encoding="utf-8"))
UNIT = f"benito-host@{EXPERIMENT}.service"


def run(*command, fails=False, text=None):
    """Standard output of a command that succeeds (or fails: then both outputs)."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr if fails else done.stdout


def benito(*command, fails=False):
    """What benito-host says, as data (the error as text when it is to fail)."""
    done = subprocess.run(["benito-host", *command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode != 0) == fails, f"benito-host {command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    said = json.loads(done.stdout)
    return said["error"] if fails else said


def node(name, command, fails=False):
    """What a shell command prints in a node."""
    return run("benito-host", "enter", name, "--", "sh", "-c", command, fails=fails).strip()


def wait(what, condition, limit_s=20.0):
    """Until the condition holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.05)


def nodes():
    return [vnode["name"] for vnode in PLAN["vnodes"]]


def processes(text):
    """Command lines on this host that contain the text."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(pid) != os.getpid():
            found.append(line)
    return found
