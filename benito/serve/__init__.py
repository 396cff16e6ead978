# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grandstand, the service on the controller: it follows all experiments and tells other programs of them."""
