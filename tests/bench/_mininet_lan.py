# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure Mininet: make N hosts on one Linux bridge, run a command in each, and take them down. Prints JSON: seconds for up and down.

tests/bench/processes.py runs this with the system's Python, for which Debian's package mininet installs its modules.
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
    began = time.monotonic()
    net = Mininet(topo=SingleSwitchTopo(k=count), switch=LinuxBridge, controller=None, waitConnected=False)
    net.start()
    for host in net.hosts:
        host.cmd(command)
    up = time.monotonic()
    net.stop()
    print(json.dumps({"up": up - began, "down": time.monotonic() - up}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
