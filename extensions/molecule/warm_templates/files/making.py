# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a template: interrupted at several moments, by two at once, damaged afterwards. Run on the pnode by shared/tasks/script.yml."""

import glob
import json
import os
import signal
import subprocess
import time

from node import EXPERIMENT, benito, processes, wait

TEMPLATES = "/var/cache/benito/templates"
MAKE = ["benito-host", "make-templates", "-e", EXPERIMENT, "--json"]


def templates():
    return benito("templates")["templates"]


def making(name):
    return glob.glob(f"{TEMPLATES}/.making-*/{name}")


def killed_when(what, condition):
    """A maker that is killed as soon as the condition holds: nothing that is used later, nothing that runs."""
    with subprocess.Popen(MAKE, stdout=subprocess.PIPE) as maker:
        try:
            wait(what, condition, 300)
        finally:
            maker.send_signal(signal.SIGKILL)
    assert templates() == [], what
    wait(f"the end of the template's QEMU: {what}", lambda: not processes("guest=template"))


assert templates() == []
killed_when("its QEMU starts", lambda: making("qmp"))
killed_when("its guest boots", lambda: processes("guest=template") and any(os.stat(path).st_blocks > 2000 for path in making("disk.qcow2")))
killed_when("its devices are saved", lambda: making("state"))
assert making("*"), "what was half made lies there still"
assert benito("templates", "--limit-mb", "0", "--check")["changes"] and making("*"), "looking removes nothing"
assert len(benito("templates", "--limit-mb", "0")["changes"]) == 1 and not making("*")

# two at once make one
makers = [subprocess.Popen(MAKE, stdout=subprocess.PIPE, text=True) for _number in range(2)]
said = [json.loads(maker.communicate(timeout=600)[0]) for maker in makers]
assert sum(len(one["changes"]) for one in said) == 1, said
(template,) = templates()
assert template["memory_mb"] == 256 and template["size_mb"] < 256, template
assert benito("make-templates", "-e", EXPERIMENT)["changes"] == []
for path in (TEMPLATES, f"{TEMPLATES}/{template['key']}"):
    assert os.stat(path).st_mode & 0o777 == 0o700, path

# a damaged one will be noticed: one bit of the guest's memory, with all times as they were
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
