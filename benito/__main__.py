# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command as ``python -m benito``."""

from .main import run

run()
