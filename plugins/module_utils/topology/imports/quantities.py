# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bandwidths, delays and losses in the notations of graph files: ``100Mb``, ``1 Gbit/s``, ``2.5ms``, ``1%``.

Without a unit, a bandwidth is in kb/s, a delay in milliseconds, and a loss is a fraction. Each function raises ValueError with
(what is wrong, what is allowed).
"""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"([+-]?(?:[0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,2})?)\s*([^0-9\s].{0,11})?")
_RATE = re.compile(r"([kKmMgGtT]?)(?:b|bps|bit|bits)?(?:/s|ps|/sec)?")
_KBPS = {"": 0.001, "k": 1.0, "m": 1e3, "g": 1e6, "t": 1e9}
_MS = {"": 1.0, "ms": 1.0, "msec": 1.0, "s": 1000.0, "sec": 1000.0, "us": 0.001, "µs": 0.001, "μs": 0.001, "usec": 0.001, "ns": 1e-6}
_RATE_HINT = "a number of kb/s, or with a unit such as 100Mb or 1Gbps"
_TIME_HINT = "a number of milliseconds, or with a unit such as 10ms or 50us"
_LOSS_HINT = "a fraction from 0 to 1, or a percentage such as 1%"
_MOST_KBPS, _MOST_MS = 1e12, 1e9


def bandwidth_kbps(text: str) -> float:
    """Parse a bandwidth; return kb/s (1000 bit/s), 0 for no limit. Capital B means bytes and is refused."""
    number, unit = _split(text, "bandwidth", _RATE_HINT)
    if not unit:
        kbps = number
    else:
        found = _RATE.fullmatch(unit)
        if not found:
            hint = f"bits have a small b: {number:g}{unit.replace('B', 'b')}" if "B" in unit else _RATE_HINT
            raise ValueError(f"{unit!r} is no unit of bandwidth", hint)
        kbps = number * _KBPS[found.group(1).lower()]
    if kbps > _MOST_KBPS:
        raise ValueError(f"a bandwidth of {text} is too high", f"at most {_MOST_KBPS:g} kb/s")
    return round(kbps, 6)


def delay_ms(text: str) -> float:
    """Parse a one-way delay; return milliseconds."""
    number, unit = _split(text, "delay", _TIME_HINT)
    if unit.lower() not in _MS:
        raise ValueError(f"{unit!r} is no unit of delay", _TIME_HINT)
    time = number * _MS[unit.lower()]
    if time > _MOST_MS:
        raise ValueError(f"a delay of {text} is too long", f"at most {_MOST_MS:g} ms")
    return round(time, 9)


def loss_fraction(text: str) -> float:
    """Parse a loss; return a fraction from 0 to 1."""
    number, unit = _split(text, "loss", _LOSS_HINT)
    if unit not in ("", "%"):
        raise ValueError(f"{unit!r} is no unit of loss", _LOSS_HINT)
    loss = number / 100 if unit else number
    if loss > 1:
        raise ValueError(f"a loss of {text} is too much", f"{text.strip()}%, if that is meant" if number <= 100 and not unit else _LOSS_HINT)
    return round(loss, 12)


def _split(text: str, what: str, hint: str) -> tuple[float, str]:
    found = _QUANTITY.fullmatch(text.strip()[:80])
    if not found:
        raise ValueError(f"{text.strip()[:40]!r} is no {what}", hint)
    number = float(found.group(1))
    if number < 0:
        raise ValueError(f"a {what} of {text.strip()[:40]} is negative", hint)
    return number, (found.group(2) or "").strip()
