# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print how many packets have come out of a tunnel. Run on a pnode by shared/tasks/script.yml."""

import sys

from node import PLAN

device = next(s["tunnel"]["device"] for s in PLAN["substrates"] if s["name"] == sys.argv[2])
print(open(f"/sys/class/net/{device}/statistics/rx_packets", encoding="ascii").read().strip())
