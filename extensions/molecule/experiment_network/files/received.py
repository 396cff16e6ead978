# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many packets came out of a tunnel until now. Run on a pnode by shared/tasks/script.yml."""

import sys

from node import PLAN

device = next(s["tunnel"]["device"] for s in PLAN["substrates"] if s["name"] == sys.argv[2])
print(open(f"/sys/class/net/{device}/statistics/rx_packets", encoding="ascii").read().strip())
