# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a virtual machine's console, as a person is shown it."""

from __future__ import annotations

import os

from ansible_collections.deter.benito.plugins.module_utils.host.qemu.command import MachinePaths
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.logs import console_end


def end_of(tmp_path, content: bytes) -> str:
    where = MachinePaths(str(tmp_path), str(tmp_path))
    os.makedirs(os.path.dirname(where.console), exist_ok=True)
    with open(where.console, "wb") as stream:
        stream.write(content)
    return console_end(where)


def test_a_bios_that_finds_nothing_to_boot_is_shown_without_its_escape_sequences(tmp_path):
    said = b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2)\r\nBooting from Hard Disk...\r\n\r\nNo bootable device.\r\n"
    assert end_of(tmp_path, said) == "SeaBIOS (version 1.16.2)\nBooting from Hard Disk...\nNo bootable device."


def test_colours_and_what_is_not_text_are_left_out(tmp_path):
    assert end_of(tmp_path, b"[\x1b[0;32m  OK  \x1b[0m] up\r\n\x00\x07\xff\x1b[1;31") == "[  OK  ] up\n\N{REPLACEMENT CHARACTER}"


def test_a_console_that_would_rule_the_terminal_is_only_text(tmp_path):
    said = "\x1b]0;owned\x07root \u202elogin\u2066\rpanic\x9b2J\n".encode() + b"x" * 5000
    assert end_of(tmp_path, said) == "root login\npanic\n" + "x" * 199 + "…"


def test_the_last_fifteen_lines_of_much_are_shown(tmp_path):
    assert end_of(tmp_path, b"".join(b"line %d\n" % number for number in range(100_000))).splitlines() == [f"line {n}" for n in range(99_985, 100_000)]


def test_a_silent_console_is_said_to_be(tmp_path):
    assert end_of(tmp_path, b"\n\n") == "(nothing)"
    assert console_end(MachinePaths(str(tmp_path), str(tmp_path / "none"))) == "(nothing)"
