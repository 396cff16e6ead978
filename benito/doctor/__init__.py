# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what is wrong with the controller and with the machines of the pool, each with its remedy. Nothing is changed anywhere."""
