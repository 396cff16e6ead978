# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fail with what differs between two looks at a machine (arguments: the directory of machine_state.py, two files)."""

from __future__ import annotations

import json
import pathlib
import sys

sys.path.insert(0, sys.argv[1])

import machine_state

THIS_LOOK = ("files", r"/tmp/ansible_.*_payload_.*", "the module that takes the look")
before, after = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in sys.argv[2:])
sys.exit("\n".join(map(str, machine_state.difference(before, after, (THIS_LOOK,)))) or 0)
