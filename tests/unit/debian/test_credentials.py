# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials by which this machine reaches archives serve while a system is made, and are in nothing that is made."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.commands import run
from ansible_collections.deter.benito.plugins.module_utils.debian import archives, bootstrap
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.images import recipe as recipes

PRIVATE = (
    'Acquire::http::Proxy "http://operator:pa55word@proxy.example:3128";',
    'Acquire::https::Proxy "https://operator:pa55word@proxy.example:3128/";',
    'Acquire::http::Proxy "operator:pa55word@proxy.example:3128";',
    'Acquire::http::Proxy "http://pa55word@proxy.example";',
    'Acquire::http::Proxy "http://proxy.example/?token=pa55word";',
    'Acquire::http::Proxy::deb.debian.org "http://operator:pa55word@proxy.example:3128";',
    'Acquire::http::Proxy-Auth "pa55word";',
    'Acquire::http::Proxy::Password "operator:pa55word@";',
    'Acquire::https::mirror.example::SslKey "/etc/ssl/private/pa55word.pem";',
    'Acquire::https::SslCert "/etc/ssl/private/pa55word.crt";',
    'Acquire::https::User-Agent "pa55word";',
    'Acquire::https::mirror.example::Token "pa55word";',
)
PUBLIC = (
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::http::Proxy "http://proxy.example:3128/";',
    'Acquire::http::Proxy "proxy.example:3128";',
    'Acquire::http::Proxy "http://[2001:db8::1]:3128";',
    'Acquire::http::Proxy::mirror.example "DIRECT";',
    'Acquire::https::Verify-Peer "false";',
    'Acquire::https::mirror.example::Verify-Host "false";',
    'Acquire::https::CaInfo "/etc/ssl/certs/site.pem";',
    'Acquire::http::Timeout "20";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Retries "3";',
)


@pytest.mark.parametrize("line", PRIVATE)
def test_an_option_that_may_be_secret_serves_only_while_a_system_is_made(line):
    assert archives.kept_options(line, {}) == () and archives.build_options(line, {}) == (line,)


@pytest.mark.parametrize("line", PUBLIC)
def test_an_option_that_is_no_secret_stays_in_the_system(line):
    assert archives.kept_options(line, {}) == (line,) and archives.build_options(line, {}) == ()


def test_a_proxy_of_the_environment_that_has_credentials_is_not_kept():
    environment = {"http_proxy": "http://operator:pa55word@proxy.example:3128", "https_proxy": "http://proxy.example:3128"}
    assert archives.kept_options("", environment) == ('Acquire::https::Proxy "http://proxy.example:3128";',)
    assert archives.build_options("", environment) == ('Acquire::http::Proxy "http://operator:pa55word@proxy.example:3128";',)


def test_credentials_in_the_uri_of_an_archive_become_logins():
    text = ("deb https://operator:pa%3A55@mirror.example:8443/debian trixie main\n"
            "deb [arch=amd64] http://token@mirror.example/debian-security trixie-security main\n"
            "deb https://other:pa55word@elsewhere.example/x trixie contrib\n")
    sources = archives.parse_sources_list(text)
    lines = archives.debian_lines(sources, True, "trixie")
    assert [line.split()[2] for line in lines] == [*["https://mirror.example:8443/debian"] * 2, "http://mirror.example/debian-security"]
    assert archives.build_logins(sources, True) == ("machine https://mirror.example:8443/debian login operator password pa:55",
                                                    "machine http://mirror.example/debian-security login token")
    assert archives.build_logins(sources, False) == archives.build_logins(archives.parse_sources_list("deb http://a/debian trixie main"), True) == ()


@pytest.fixture(name="machine")
def fixture_machine(tmp_path, monkeypatch):
    """This machine, with an apt that has credentials everywhere."""
    monkeypatch.setattr(bootstrap, "_sources", lambda: (archives.Source("http://operator:pa55word@mirror.example/debian", ("trixie",), ("main",)),))
    monkeypatch.setattr(bootstrap, "_is_debian", lambda: True)
    monkeypatch.setenv("http_proxy", "http://operator:pa55word@proxy.example:3128")
    (tmp_path / "apt.conf").write_text("".join(line + "\n" for line in (*PRIVATE[5:], *PUBLIC[4:])))
    monkeypatch.setattr(bootstrap, "run", lambda *command, **options: run("env", f"APT_CONFIG={tmp_path}/apt.conf", *command, **options)
                        if command[0] == "apt-config" else run(*command, **options))


@pytest.mark.skipif(not os.path.exists("/usr/bin/apt-config"), reason="this is no Debian")
def test_no_recipe_and_no_digest_has_credentials(machine, monkeypatch):
    made_of = recipes.recipe("debian-13", "disk", "trixie")
    assert "pa55word" not in json.dumps(dataclasses.asdict(made_of)) and 'Acquire::http::Timeout "20";' in made_of.apt_options
    digest = made_of.digest(time.gmtime())
    assert "pa55word" in str(bootstrap.credentials())
    monkeypatch.setenv("http_proxy", "http://operator:another@proxy.example:3128")
    assert recipes.recipe("debian-13", "disk", "trixie").digest(time.gmtime()) == digest


@pytest.mark.skipif(not os.path.exists("/usr/bin/apt-config"), reason="this is no Debian")
@pytest.mark.parametrize("fails", [False, True])
def test_credentials_are_in_the_system_only_while_it_is_made(machine, tmp_path, monkeypatch, fails):
    root, seen = tmp_path / "root", []

    def mmdebstrap(*command, **options):
        """Do what the setup hooks of mmdebstrap do, and look at what apt then finds."""
        if "mmdebstrap" not in command:
            return run("env", f"APT_CONFIG={tmp_path}/apt.conf", *command, **options)
        assert "pa55word" not in str(command) and "keep_environment" in options
        for hook in (word.partition("=")[2] for word in command if word.startswith("--setup-hook=")):
            subprocess.run(["sh", "-c", hook, "exec", str(root)], check=True)
        seen.extend(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.stat().st_mode & 0o777 == 0o600))
        seen.append("\n".join((root / path).read_text() for path in seen))
        if fails:
            raise HostError("it failed")
        return None

    monkeypatch.setattr(bootstrap, "run", mmdebstrap)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for directory in (root, tmp_path / "temporary"):
        directory.mkdir()
    try:
        bootstrap.debootstrap(str(root), "trixie", ("deb http://mirror.example/debian trixie main",), ("systemd",), ())
        assert not fails
    except HostError:
        assert fails
    assert seen[:2] == ["etc/apt/apt.conf.d/98benito-build", "etc/apt/auth.conf.d/98benito-build.conf"]
    assert re.search("machine http://mirror.example/debian login operator password pa55word\n", seen[2]) and PRIVATE[5] in seen[2]
    assert not [path for path in root.rglob("*") if path.is_file()]
    assert os.listdir(tmp_path / "temporary") == []
