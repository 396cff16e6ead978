# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Delete the tunnels. Run on a pnode by shared/tasks/script.yml."""

from node import PLAN, run

for substrate in PLAN["substrates"]:
    if "tunnel" in substrate:
        run("ip", "link", "delete", substrate["tunnel"]["device"])
