# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian system is made without what is thrown away afterwards."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.debian import bootstrap


@pytest.fixture(name="commands")
def fixture_commands(monkeypatch):
    """Every command that would have been run."""
    found = []
    monkeypatch.setattr(bootstrap, "credentials", dict)
    monkeypatch.setattr(bootstrap, "run", lambda *command, **_options: found.append(command))
    return found


@pytest.mark.parametrize(("asked", "said"), [({}, "INITRD=No"), ({"initrd": False}, "INITRD=No"), ({"initrd": True}, "INITRD=Yes")])
def test_an_initial_ram_disk_of_debians_is_made_only_where_it_is_asked_for(commands, monkeypatch, asked, said):
    monkeypatch.setenv("INITRD", "whatever the caller has")
    bootstrap.debootstrap("/root", "bookworm", ("deb x bookworm main",), ("systemd", "linux-image-cloud-amd64"), (), ("--more",), **asked)
    (command,) = commands
    assert command[command.index("env"):][1:3] == (said, "mmdebstrap") and command[-4:] == ("--more", "bookworm", "/root", "deb x bookworm main")


def test_certificates_are_gathered_anew_only_when_there_are_more(commands, tmp_path):
    bootstrap.trust(str(tmp_path), ())
    assert commands == [] and not list(tmp_path.iterdir())
    bootstrap.trust(str(tmp_path), (("own.crt", "text"),))
    assert (tmp_path / "usr/local/share/ca-certificates/own.crt").read_text() == "text" and commands == [("chroot", str(tmp_path), "update-ca-certificates")]
