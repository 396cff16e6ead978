# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers with units in NS files (ns.md §3). Units are case-sensitive: ``10Mb`` is a bandwidth, ``10mb`` is invalid.

Each function raises ValueError with (what is wrong, what is allowed).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*(.*?)\s*", re.DOTALL)
_LOSS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_TIME = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_CLOCK = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")

_KBPS = {
    **dict.fromkeys(("", "b", "bps"), 0.001),
    **dict.fromkeys(("k", "kb", "kbps", "K", "Kb", "Kbps"), 1),
    **dict.fromkeys(("M", "Mb", "Mbps"), 1000),
    **dict.fromkeys(("G", "Gb", "Gbps"), 1_000_000),
}
_BANDWIDTH_HINT = "a number with b, kb, Mb or Gb, such as 10Mb"
SMALLEST_KBPS = 10
_LARGEST, _LARGEST_COST = 1e18, 1e9
SMALLEST_LOSS = 0.000005


@dataclass(frozen=True)
class Profile:
    """The rules for values in a file.

    largest_kbps       the highest bandwidth
    smallest_delay_ms  the smallest delay other than 0
    whole_ms           whether delays are truncated to whole milliseconds
    strict             whether Emulab's rules apply even where they serve no purpose here
    """

    name: str
    largest_kbps: int
    smallest_delay_ms: float
    whole_ms: bool
    strict: bool


PROFILES = {
    "default": Profile("default", 10_000_000, 0, False, False),
    "emulab": Profile("emulab", 1_000_000, 2, True, True),
}


def bandwidth_kbps(text: str, profile: Profile) -> int:
    """Parse a bandwidth; return whole kb/s, 0 for ``*`` (no request)."""
    if text.strip() == "*":
        return 0
    number, unit = _split(text, "bandwidth", _BANDWIDTH_HINT)
    if unit not in _KBPS:
        close = [known for known in ("kb", "Mb", "Gb", "kbps", "Mbps", "Gbps") if known.lower() == unit.lower()]
        raise ValueError(f"{unit!r} is no unit of bandwidth", f"{number:g}{close[0]}" if close else _BANDWIDTH_HINT)
    kbps = int(number * _KBPS[unit] + 1e-9)
    if kbps < SMALLEST_KBPS:
        hint = f"at least {SMALLEST_KBPS}kb; a number without a unit is in bits per second"
        raise ValueError(f"a bandwidth of {text} is {kbps} kb/s, which is too low", hint)
    if kbps > profile.largest_kbps:
        raise ValueError(f"a bandwidth of {text} is too high", f"at most {profile.largest_kbps // 1_000_000}Gb in the profile {profile.name}")
    return kbps


def delay_ms(text: str, profile: Profile) -> tuple[float, str]:
    """Parse a delay; return (milliseconds, a warning or ""). A number without a unit is in seconds."""
    number, unit = _split(text, "delay", "a number with ms or s, such as 10ms")
    warning = ""
    if unit in ("", "s"):
        time = number * 1000
    elif unit == "ms":
        time = number
    elif unit == "ns":
        time = number / 1000 if profile.strict else number / 1_000_000
        warning = "Emulab takes ns for microseconds; " + ("so does the profile emulab" if profile.strict else "here it is nanoseconds")
    elif unit in ("us", "usec") and not profile.strict:
        time = number / 1000
    else:
        raise ValueError(f"{unit!r} is no unit of delay", "ms or s" if profile.strict else "us, ms or s")
    if time < 0 or time > 1e9:
        raise ValueError(f"a delay of {text} is not possible", "0ms or more")
    if 0 < time < profile.smallest_delay_ms:
        raise ValueError(f"a delay of {text} is too small", f"0, or at least {profile.smallest_delay_ms}ms, in the profile {profile.name}")
    return (float(int(time)) if profile.whole_ms else round(time, 9)), warning


def loss_fraction(text: str) -> float:
    """Parse a loss in plain decimals; return a fraction from 0 to 1."""
    hint = "0, or a plain number from 0.000005 to 1, such as 0.01"
    if not _LOSS.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no loss", hint)
    loss = float(text)
    if loss > 1 or 0 < loss < SMALLEST_LOSS:
        raise ValueError(f"a loss of {text} is out of range", hint)
    return loss


def link_cost(text: str) -> str:
    """Parse the cost of a link; return it in its shortest form, ``3`` for ``3.0``."""
    try:
        cost = float(text)
    except ValueError:
        cost = 0.0
    if not 0 < cost <= _LARGEST_COST:  # not a number is not in any range
        raise ValueError(f"{text!r} is no cost", "a number above 0")
    return f"{cost:.15g}"


def seconds(text: str) -> float:
    """Parse a time, ``2.5`` or ``1h20m3s``; return seconds."""
    if _TIME.fullmatch(text.strip()):
        return float(text)
    clock = _CLOCK.fullmatch(text.strip())
    if not clock or not any(clock.groups()):
        raise ValueError(f"{text!r} is no time", "seconds, or hours, minutes and seconds such as 1h20m3s")
    hours, minutes, rest = (int(part or 0) for part in clock.groups())
    return hours * 3600.0 + minutes * 60 + rest


def _split(text: str, what: str, hint: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no {what}", hint)
    number = float(found.group(1))
    if abs(number) > _LARGEST:
        raise ValueError(f"{text!r} is too large", hint)
    return number, found.group(2)
