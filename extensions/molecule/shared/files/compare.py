# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare two recorded states of a machine and fail with the differences.

Arguments: the directory of machine_state.py, two files.
"""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])

import machine_state

THIS_RECORDING = ("files", r"/tmp/ansible_.*_payload_.*", "the module that records the state")
before, after = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in sys.argv[2:])
sys.exit("\n".join(map(str, machine_state.difference(before, after, (THIS_RECORDING,)))) or 0)
