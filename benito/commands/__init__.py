# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of ``benito``, a module for each group of them. Each has a function ``register(app)``."""
