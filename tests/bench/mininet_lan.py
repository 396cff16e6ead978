# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mininet's side of the comparison: N hosts on one Linux bridge, a command started in each, all of it taken down.

Run by tests/bench/processes.py with the interpreter that Debian's package mininet installs for. Prints JSON: seconds for up and down.
"""

from __future__ import annotations

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo


def main(count: int, command: str) -> None:
    setLogLevel("error")
    begun = time.monotonic()
    net = Mininet(topo=SingleSwitchTopo(k=count), switch=LinuxBridge, controller=None, waitConnected=False)
    net.start()
    for host in net.hosts:
        host.cmd(command)
    up = time.monotonic()
    net.stop()
    print(json.dumps({"up": up - begun, "down": time.monotonic() - up}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
