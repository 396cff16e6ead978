# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the tunnels. Run on a pnode by shared/tasks/script.yml."""

from node import PLAN, run

for substrate in PLAN["substrates"]:
    if "tunnel" in substrate:
        run("ip", "link", "delete", substrate["tunnel"]["device"])
