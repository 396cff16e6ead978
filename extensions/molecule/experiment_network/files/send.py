# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send frames of a substrate to another vhost. Run on a pnode by shared/tasks/script.yml.

Arguments: source address, destination address, substrate. The host gets the source address while it sends, unless it has it anyway.
"""

import socket
import struct
import sys

from node import PLAN, run

source, to, name = sys.argv[2:5]
tunnel = next(s["tunnel"] for s in PLAN["substrates"] if s["name"] == name)
frame = bytes.fromhex("ffffffffffff02000000009988b5") + b"stranger" * 8
own = source == tunnel["local"]
if not own:
    run("ip", "address", "add", f"{source}/24", "dev", "eth1")
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        for _number in range(20):
            sock.sendto(struct.pack("!BxxxI", 8, tunnel["vni"] << 8) + frame, (to, tunnel.get("port", 4789)))
finally:
    if not own:
        run("ip", "address", "delete", f"{source}/24", "dev", "eth1")
