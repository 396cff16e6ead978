# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fetch the data of the server on east-1 over TCP and print the time. Run this in any node of quickstart.xml."""

from __future__ import annotations

import time
import urllib.request

started = time.monotonic()
with urllib.request.urlopen("http://east-1:8080/data") as response:
    size = sum(len(chunk) for chunk in iter(lambda: response.read(1 << 20), b""))
print(f"{size >> 20} MB in {time.monotonic() - started:.1f} s")
