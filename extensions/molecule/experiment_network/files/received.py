# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Print how many packets have come out of a tunnel. Run on a pnode by shared/tasks/script.yml."""

import sys

from node import PLAN

device = next(s["tunnel"]["device"] for s in PLAN["substrates"] if s["name"] == sys.argv[2])
print(open(f"/sys/class/net/{device}/statistics/rx_packets", encoding="ascii").read().strip())
