# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following an experiment as it changes: its nodes, its vhosts and the runs on it."""
