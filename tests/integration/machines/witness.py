# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell which attacks of hostile.py arrived on this machine, until the standard input ends. Python 3.9 and the standard library only.

Print ``ready``, then JSON: names of attacks. With the argument ``frames``, whole frames count, on every interface of a victim. Otherwise, on a host,
only what was delivered to a service counts, because the frames themselves pass the host's bridges.
"""

import json
import re
import select
import socket
import sys

NAMES = re.compile(rb"HOSTILE:([^:]*):")
services = [socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)]  # IPv4 too
services[0].bind(("::", 7777))
if sys.argv[1:] == ["frames"]:
    services.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
print("ready", flush=True)
seen = set()
while True:
    for ready in select.select([sys.stdin, *services], [], [])[0]:
        if ready is sys.stdin:
            if not sys.stdin.buffer.read1(4096):
                print(json.dumps(sorted(seen)))
                sys.exit(0)
        else:
            seen.update(name.decode(errors="replace") for name in NAMES.findall(ready.recv(65536)))
