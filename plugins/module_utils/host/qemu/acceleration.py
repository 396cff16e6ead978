# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether KVM works on this host. A kernel is booted to prove it, because a /dev/kvm that opens may still hang every guest."""

from __future__ import annotations

import glob
import json
import os
import select
import subprocess
import time

from ...clean_text import clean_line
from ..base.paths import IMAGES, RUN_ROOT, make_run_root, read_json, remove_file, write_atomically

_VERDICT = f"{RUN_ROOT}/acceleration.json"
_LIMIT_S = 10.0
NO_KERNEL = "this host has no kernel to test KVM with"


def acceleration(wanted: str = "auto") -> tuple[str, str]:
    """Return (``kvm`` or ``tcg``, reason). A plan's choice other than ``auto`` is not checked. The verdict is kept until the host's reboot."""
    if wanted != "auto":
        return wanted, "chosen by the settings"
    found = read_json(_VERDICT)
    if found is None:
        verdict, reason = prove_kvm()
        found = {"verdict": verdict, "reason": reason}
        make_run_root()
        write_atomically(_VERDICT, json.dumps(found))
    return found["verdict"], found["reason"]


def forget_acceleration() -> None:
    """Remove the verdict, when the last experiment leaves the host."""
    remove_file(_VERDICT)


def known_acceleration() -> tuple[str, str] | None:
    """Return the verdict that this host keeps, None if it has not been asked since its boot."""
    found = read_json(_VERDICT)
    return (found["verdict"], found["reason"]) if found else None


def prove_kvm() -> tuple[str, str]:
    """Boot a kernel under KVM, for at most ten seconds. Return (``kvm`` or ``tcg``, reason), and keep nothing. Needs QEMU."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "/dev/kvm cannot be opened"
    kernels = sorted(glob.glob(f"{IMAGES}/*/kernel")) + sorted(glob.glob("/boot/vmlinuz-*"))
    if not kernels:
        return "tcg", NO_KERNEL
    command = ["/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "kvm", "-cpu", "host", "-m", "256M",
               "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernels[0], "-append", "console=ttyS0 earlyprintk=serial,ttyS0 panic=-1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        if not process.stdout:
            raise AssertionError("stdout is a pipe")  # for mypy
        output = b""
        deadline = time.monotonic() + _LIMIT_S
        try:
            while b"Linux version" not in output and time.monotonic() < deadline:
                readable, _w, _x = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
                block = os.read(process.stdout.fileno(), 65536) if readable else b""
                if readable and not block:
                    break
                output += block
        finally:
            process.kill()
    if b"Linux version" in output:
        return "kvm", "a kernel booted under KVM"
    last = output.decode(errors="replace").strip().splitlines()
    return "tcg", f"a kernel under KVM printed nothing within {_LIMIT_S:.0f} s" if not last else f"a kernel under KVM did not boot: {clean_line(last[-1])}"
