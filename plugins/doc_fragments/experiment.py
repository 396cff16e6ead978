# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules document alike that act on one experiment."""

from __future__ import annotations


class ModuleDocFragment:
    """The experiment's name; C(.home), where it is kept."""

    DOCUMENTATION = r"""
options:
  pid:
    description: The project, or one of its groups as C(PROJECT/GROUP).
    type: str
    required: true
  eid:
    description: The experiment.
    type: str
    required: true
"""

    HOME = r"""
options:
  benito_home:
    description: Directory of the experiments. E(BENITO_HOME) if not given, else C(~/.benito).
    type: str
"""
