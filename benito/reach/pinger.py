# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node runs to ping others: one program that sends to all of them at once, three times if need be, and prints who answered."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

_PROGRAM = """\
import json, os, select, socket, struct, sys, time
limit, targets = float(sys.argv[1]), sys.argv[2:]
ours = struct.pack("!H", os.getpid() & 0xFFFF) + os.urandom(8)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
def echo(number):
    body = ours[:2] + struct.pack("!H", number) + ours[2:]
    return struct.pack("!BBH", 8, 0, checksum(struct.pack("!BBH", 8, 0, 0) + body)) + body
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
sock.setblocking(False)
try:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
except OSError:
    pass
found, reasons, sent, began = {}, {}, {}, time.monotonic()
rounds = [began, began + limit / 4, began + limit / 2]
while len(found) < len(targets) and time.monotonic() < began + limit:
    if rounds and time.monotonic() >= rounds[0]:
        rounds.pop(0)
        for number, target in enumerate(targets):
            if target not in found:
                sent[target] = time.monotonic()
                try:
                    sock.sendto(echo(number), (target, 0))
                except OSError as exc:
                    reasons[target] = exc.strerror
    until = min([*rounds[:1], began + limit])
    readable, _w, _x = select.select([sock], [], [], max(0.0, until - time.monotonic()))
    while readable:
        try:
            data, sender = sock.recvfrom(2048)
        except OSError:
            break
        data = data[(data[0] & 15) * 4:]
        if len(data) >= 16 and data[0] == 0 and data[4:6] + data[8:16] == ours:
            number = struct.unpack("!H", data[6:8])[0]
            if number < len(targets) and targets[number] == sender[0]:
                found.setdefault(sender[0], round((time.monotonic() - sent[sender[0]]) * 1000, 3))
print(json.dumps({target: found[target] if target in found else reasons.get(target, "no answer") for target in targets}))
"""

_WITHOUT_PYTHON = """\
for target in {targets}; do
    {{ ping -n -c 1 -W {limit:.0f} "$target" >/dev/null 2>&1 && echo "answer $target" || echo "silence $target"; }} &
done
wait
"""


def ping_text(targets: Iterable[str], limit_s: float) -> str:
    """Return the shell command that pings all addresses at once and waits for at most ``limit_s``: by Python, or by the program ping without it."""
    words = " ".join(map(shlex.quote, dict.fromkeys(targets)))
    program = f"python3 -IS -c {shlex.quote(_PROGRAM)} {limit_s:g} {words}"
    return f"if command -v python3 >/dev/null; then exec {program}; fi\n{_WITHOUT_PYTHON.format(targets=words, limit=max(limit_s, 1))}"


def read_answers(text: str) -> Mapping[str, Any] | None:
    """Return {address: milliseconds, or why there was no answer} from the output of ``ping_text``, None if it is none. The node may print anything."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if lines and all(line[0] in ("answer", "silence") and len(line) == 2 for line in lines):
        return {address: 0.0 if word == "answer" else "no answer" for word, address in lines}
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                return None
            return found if isinstance(found, dict) else None
    return None
