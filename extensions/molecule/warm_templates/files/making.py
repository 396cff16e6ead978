# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interrupt the building of a template at several moments, build it twice at once, and damage it. Run on the pnode by shared/tasks/script.yml."""

import glob
import json
import os
import re
import signal
import subprocess
import time

from node import EXPERIMENT, benito, processes, wait

TEMPLATES = "/var/cache/benito/templates"
MAKE = ["benito-host", "make-templates", "-e", EXPERIMENT, "--json"]


def templates():
    return benito("templates")["templates"]


def making(name):
    """Return the paths of this file in unfinished templates."""
    return glob.glob(f"{TEMPLATES}/.making-*/{name}")


def confined():
    """Return whether the template's QEMU has become its user. Then it has its own filter of system calls, and the one that it was started with."""
    for path in glob.glob("/proc/[0-9]*"):
        try:
            if b"guest=template" in open(f"{path}/cmdline", "rb").read() and os.stat(path).st_uid in range(0x71000000, 0x72000000):
                status = open(f"{path}/status", encoding="ascii").read()
                assert re.search(r"^NoNewPrivs:\s1$", status, re.MULTILINE), status
                assert int(re.search(r"^Seccomp_filters:\s(\d+)$", status, re.MULTILINE)[1]) >= 2, status
                return True
        except (FileNotFoundError, ProcessLookupError):
            pass
    return False


def kill_when(what, condition):
    """Build a template and kill the builder as soon as the condition holds. No template and no process may remain."""
    with subprocess.Popen(MAKE, stdout=subprocess.PIPE) as maker:
        try:
            wait(what, condition, 300)
        finally:
            maker.send_signal(signal.SIGKILL)
    assert templates() == [], what
    wait(f"the end of the template's QEMU: {what}", lambda: not processes("guest=template"))


assert templates() == []
kill_when("its QEMU starts", lambda: making("qmp"))
kill_when("its guest boots", lambda: confined() and any(os.stat(path).st_blocks > 2000 for path in making("disk.qcow2")))
kill_when("its devices are saved", lambda: making("state"))
assert making("*"), "the unfinished template is still there"
assert benito("templates", "--limit-mb", "0", "--check")["changes"] and making("*"), "check mode removes nothing"
assert len(benito("templates", "--limit-mb", "0")["changes"]) == 1 and not making("*")

# two builders at once make one template
makers = [subprocess.Popen(MAKE, stdout=subprocess.PIPE, text=True) for _number in range(2)]
outputs = [json.loads(maker.communicate(timeout=600)[0]) for maker in makers]
assert sum(len(output["changes"]) for output in outputs) == 1, outputs
(template,) = templates()
assert template["memory_mb"] == 256 and template["size_mb"] < 256, template
assert benito("make-templates", "-e", EXPERIMENT)["changes"] == []
for path in (TEMPLATES, f"{TEMPLATES}/{template['key']}"):
    assert os.stat(path).st_mode & 0o777 == 0o700, path

# flip one bit of the guest's memory and restore the file's times: verify expects that the damage is detected
memory = f"{TEMPLATES}/{template['key']}/memory"
before = os.stat(memory)
with open(memory, "r+b") as stream:
    stream.seek(os.lseek(stream.fileno(), 0, os.SEEK_DATA))
    byte = stream.read(1)
    stream.seek(-1, os.SEEK_CUR)
    stream.write(bytes([byte[0] ^ 1]))
os.utime(memory, ns=(before.st_atime_ns, before.st_mtime_ns))
with open("/root/damaged", "w", encoding="ascii") as stream:
    stream.write(str(time.time()))
