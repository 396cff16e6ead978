# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian systems as directory trees: for the pnodes of the local testbed and for the images of nodes."""
