# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether KVM works on this host: proven by booting a kernel, because a /dev/kvm that opens may still hang every guest."""

from __future__ import annotations

import glob
import json
import os
import select
import subprocess
import time

from ..base.paths import IMAGES, RUN_ROOT, make_run_root, read_json, remove_file, write_atomically

_VERDICT = f"{RUN_ROOT}/acceleration.json"
_LIMIT_S = 10.0


def acceleration(wanted: str = "auto") -> tuple[str, str]:
    """(``kvm`` or ``tcg``, why). What a plan wants other than ``auto`` is taken at its word. The verdict is kept until the host's reboot."""
    if wanted != "auto":
        return wanted, "as the settings say"
    found = read_json(_VERDICT)
    if found is None:
        verdict, reason = _probe()
        found = {"verdict": verdict, "reason": reason}
        make_run_root()
        write_atomically(_VERDICT, json.dumps(found))
    return found["verdict"], found["reason"]


def forget_acceleration() -> None:
    """The verdict goes with the last experiment; it was the host's."""
    remove_file(_VERDICT)


def _probe() -> tuple[str, str]:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg", "there is no /dev/kvm that can be opened"
    kernels = sorted(glob.glob(f"{IMAGES}/*/kernel")) + sorted(glob.glob("/boot/vmlinuz-*"))
    if not kernels:
        return "tcg", "there is no kernel here to prove KVM with"
    command = ["/usr/bin/qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "kvm", "-cpu", "host", "-m", "256M",
               "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernels[0], "-append", "console=ttyS0 earlyprintk=serial,ttyS0 panic=-1"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        said = b""
        deadline = time.monotonic() + _LIMIT_S
        try:
            while b"Linux version" not in said and time.monotonic() < deadline:
                readable, _w, _x = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
                block = os.read(process.stdout.fileno(), 65536) if readable else b""
                if readable and not block:
                    break
                said += block
        finally:
            process.kill()
    if b"Linux version" in said:
        return "kvm", "a kernel booted under KVM"
    last = said.decode(errors="replace").strip().splitlines()
    return "tcg", f"a kernel under KVM said nothing within {_LIMIT_S:.0f} s" if not last else f"a kernel under KVM did not boot: {last[-1]}"
