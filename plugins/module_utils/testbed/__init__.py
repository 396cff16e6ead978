# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local testbed: pnodes on this one machine, as LXC system containers or virtual machines.

To the rest of the collection they are ordinary hosts over SSH. The modules form three layers, from the inside out. names, addresses
and files are pure. kernel, sysctls, network, firewall, base, pnodes and machines each manage one thing. bring_up and local_testbed put
them in order.
"""
