# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bandwidths, delays, losses and times of NS files are read, or refused with a hint."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.ns.units import PROFILES, bandwidth_kbps, delay_ms, loss_fraction, seconds
from hypothesis import given
from hypothesis import strategies as st

DEFAULT, EMULAB = PROFILES["default"], PROFILES["emulab"]

BANDWIDTHS = {
    "10Mb": 10_000, "10 Mb": 10_000, "1.5Mbps": 1500, ".5Mb": 500, "1e3kb": 1000, "100kb": 100, "100k": 100, "100K": 100, "100Kb": 100,
    "100Kbps": 100, "100kbps": 100, "2M": 2000, "1G": 1_000_000, "1Gb": 1_000_000, "1Gbps": 1_000_000, "64000": 64, "64000b": 64,
    "64999bps": 64, "*": 0, "10.0009Mb": 10_000, "0.1Mb": 100, "10Gb": 10_000_000,
}  # fmt: skip


@pytest.mark.parametrize("text", BANDWIDTHS)
def test_bandwidth_is_read_as_whole_kilobits_per_second(text):
    assert bandwidth_kbps(text, DEFAULT) == BANDWIDTHS[text]


NO_BANDWIDTHS = ["10mb", "10MB", "1Gbit", "10Mbit", "fast", "", "9kb", "9999", "11Gb", "-5Mb", "nan", "inf", "1e999", "0x10Mb", "10Mb/s", "10Mb 5"]


@pytest.mark.parametrize("text", NO_BANDWIDTHS)
def test_invalid_bandwidth_is_refused_with_a_valid_example(text):
    with pytest.raises(ValueError) as caught:
        bandwidth_kbps(text, DEFAULT)
    assert all(caught.value.args) and len(caught.value.args) == 2


def test_unit_in_the_wrong_case_gets_a_hint():
    with pytest.raises(ValueError) as caught:
        bandwidth_kbps("10mb", DEFAULT)
    assert caught.value.args == ("'mb' is no unit of bandwidth", "10Mb")


def test_profile_limits_the_bandwidth_of_a_link():
    assert bandwidth_kbps("2Gb", DEFAULT) == 2_000_000
    with pytest.raises(ValueError, match="too high"):
        bandwidth_kbps("2Gb", EMULAB)


DELAYS = [
    ("10ms", 10, 10), ("0ms", 0, 0), ("0", 0, 0), ("1", 1000, 1000), ("0.05s", 50, 50), (".1ms", 0.1, None), ("1ms", 1, None), ("2.7ms", 2.7, 2),
    ("50us", 0.05, None), ("50usec", 0.05, None), ("3000ns", 0.003, 3), ("10 ms", 10, 10), ("1e1ms", 10, 10), ("10msec", None, None),
    ("10µs", None, None), ("-1ms", None, None), ("ms", None, None), ("", None, None), ("10Ms", None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "default", "emulab"), DELAYS)
def test_delay_is_read_as_milliseconds_by_the_rules_of_the_profile(text, default, emulab):
    for profile, expected in ((DEFAULT, default), (EMULAB, emulab)):
        if expected is None:
            with pytest.raises(ValueError) as caught:
                delay_ms(text, profile)
            assert len(caught.value.args) == 2
        else:
            assert delay_ms(text, profile)[0] == pytest.approx(expected)


def test_nanoseconds_give_a_warning():
    assert delay_ms("3000ns", DEFAULT)[1] and not delay_ms("3ms", DEFAULT)[1]


@pytest.mark.parametrize("text", ["0", "0.0", "1", "1.0", "0.01", ".05", "0.000005"])
def test_loss_is_a_number_from_0_to_1(text):
    assert loss_fraction(text) == float(text)


@pytest.mark.parametrize("text", ["1.1", "2", "-0.1", "1e-3", "5%", "", "0.0000001", "x"])
def test_invalid_loss_is_refused(text):
    with pytest.raises(ValueError):
        loss_fraction(text)


@pytest.mark.parametrize(("text", "expected"), [("20", 20), ("2.5", 2.5), (".5", 0.5), ("2m", 120), ("1h20m3s", 4803), ("3s", 3), ("1h", 3600)])
def test_time_is_read_as_seconds_or_hours_minutes_and_seconds(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "-1", "1d", "3s2m", "1.5h"])
def test_invalid_time_is_refused(text):
    with pytest.raises(ValueError):
        seconds(text)


@given(st.text(max_size=12), st.sampled_from([DEFAULT, EMULAB]))
def test_any_text_is_read_as_a_number_or_refused(text, profile):
    for parse in (lambda: bandwidth_kbps(text, profile), lambda: delay_ms(text, profile), lambda: loss_fraction(text), lambda: seconds(text)):
        try:
            parse()
        except ValueError as exc:
            assert exc.args
