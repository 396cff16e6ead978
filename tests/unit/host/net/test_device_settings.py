# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of network devices, on a kernel's own."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.net.device_settings import read_setting, write_setting
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed


@sandboxed
def test_a_setting_is_what_was_written():
    write_setting("lo", "ipv4/arp_ignore", "8")
    assert (read_setting("lo", "ipv4/arp_ignore"), read_setting("all", "ipv4/arp_ignore")) == ("8", "0")


@sandboxed
def test_what_the_kernel_lacks_reads_as_none_and_cannot_be_written():
    for name, setting in (("absent", "ipv4/arp_ignore"), ("lo", "ipv4/absent")):
        assert read_setting(name, setting) is None
        with pytest.raises(FileNotFoundError):
            write_setting(name, setting, "1")
    with pytest.raises(OSError, match="Invalid argument"):
        write_setting("lo", "ipv4/arp_ignore", "many")
