# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reach the nodes of an experiment: log in, run commands, send pings, read consoles."""
