# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bandwidths, delays and losses are read as people write them."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.topology.imports.quantities import bandwidth_kbps, delay_ms, loss_fraction

RIGHT = [
    (bandwidth_kbps, "100", 100), (bandwidth_kbps, "100Mb", 100_000), (bandwidth_kbps, " 1.5 Gbit/s ", 1_500_000), (bandwidth_kbps, "10mbps", 10_000),
    (bandwidth_kbps, "64k", 64), (bandwidth_kbps, "2500b", 2.5), (bandwidth_kbps, "1e3kb", 1000), (bandwidth_kbps, "0", 0), (bandwidth_kbps, ".5Mb", 500),
    (delay_ms, "10", 10), (delay_ms, "2.5ms", 2.5), (delay_ms, "1s", 1000), (delay_ms, "50us", 0.05), (delay_ms, "50 µs", 0.05), (delay_ms, "100ns", 0.0001),
    (loss_fraction, "0.01", 0.01), (loss_fraction, "1%", 0.01), (loss_fraction, "1", 1), (loss_fraction, "1e-3", 0.001), (loss_fraction, "100 %", 1),
]  # fmt: skip
WRONG = [
    (bandwidth_kbps, ["", "fast", "-1", "10MB", "10KiB", "1e99", "nan", "inf", "1,5Mb", "9" * 30, "10 Mb 5", "\u0661"]),
    (delay_ms, ["", "soon", "-1ms", "10min", "1e12", "nan", "10 10"]),
    (loss_fraction, ["", "1.5", "101%", "-0.1", "some", "5ms", "nan"]),
]


@pytest.mark.parametrize(("parse", "text", "value"), RIGHT)
def test_numbers_are_read_with_and_without_units(parse, text, value):
    assert parse(text) == pytest.approx(value)


@pytest.mark.parametrize(("parse", "text"), [(parse, text) for parse, texts in WRONG for text in texts])
def test_invalid_number_is_refused_with_a_hint(parse, text):
    with pytest.raises(ValueError) as caught:
        parse(text)
    message, hint = caught.value.args
    assert message and hint and len(message) < 120
