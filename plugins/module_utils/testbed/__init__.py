# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local testbed: pnodes made on this one machine as LXC system containers.

To everything else in the collection they are ordinary hosts over SSH (design.md §5.3). The layers,
from the inside out: names, addresses and files are pure; system runs commands; kernel, sysctls,
network, base and pnodes each bring one thing about; bed puts them in order.
"""
