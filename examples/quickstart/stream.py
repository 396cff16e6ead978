# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the data of the server on east-1 over TCP and print the time. Run this in any node of quickstart.xml."""

from __future__ import annotations

import time
import urllib.request

started = time.monotonic()
with urllib.request.urlopen("http://east-1:8080/data") as response:
    size = sum(len(chunk) for chunk in iter(lambda: response.read(1 << 20), b""))
print(f"{size >> 20} MB in {time.monotonic() - started:.1f} s")
