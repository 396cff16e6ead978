# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands on this machine."""

from __future__ import annotations

import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.commands import run
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError


def test_a_command_that_fails_is_an_error_with_the_end_of_its_output():
    with pytest.raises(HostError, match="failed with exit status 3: first / last"):
        run("sh", "-c", "echo first >&2; echo last >&2; exit 3")
    with pytest.raises(HostError, match="the command benito-nonesuch is not installed on this machine"):
        run("benito-nonesuch")


def test_a_daemon_that_keeps_our_output_open_does_not_make_us_wait():
    begin = time.monotonic()
    run("sh", "-c", "sleep 5 & echo done")
    assert time.monotonic() - begin < 3
