# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the state of the machine that a testbed can change, one item a line (argument: the directory of machine_state.py).

Other suites run beside the molecule scenarios, with processes, files and containers of their own. What cannot belong to a testbed
is therefore left out. The demo's test runs without them and compares everything.
"""

from __future__ import annotations

import re
import sys

sys.path.insert(0, sys.argv[1])

import machine_state

OURS = {
    "links": r"b[cet][a-z2-7]{13}", "addresses": r"b[cet][a-z2-7]{13} .*", "routes": r".* dev b[cet][a-z2-7]{13} .*",
    "mounts": r".*/(testbed|pnodes|base)/.*", "cgroups": r".*/benito-.*", "firewall": r".*benito.*", "files": r".*benito.*",
    "sysctls": r"(fs|kernel|user|vm)\..*|net\.ipv4\.(ip_forward|conf\.(all|default)\..*)|net\.(core|ipv[46]\.neigh\.default)\..*",
}

machine_state.FOLDERS = {"/run/lxc": 9, "/run/deter.benito": 1}
found = machine_state.snapshot()
for category, pattern in OURS.items():
    exempt = [re.compile(rule) for kind, rule, _reason in machine_state.EXEMPT if kind == category]
    for item, value in sorted(found[category].items()):
        if re.fullmatch(pattern, item) and not any(rule.fullmatch(item) for rule in exempt):
            print(category, item, value)
