# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.debian import archives as apt
from ansible_collections.deter.benito.plugins.module_utils.testbed import files
from ansible_collections.deter.benito.plugins.module_utils.testbed.addresses import Subnets
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import Identity, Paths

IDENTITY = Identity("/var/lib/benito", "local")
PATHS = Paths(IDENTITY, "/var/lib/benito/cache")
SUBNETS = Subnets("172.28.0.0/21", "10.254.0.0/16")

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""


def test_inventory_lists_every_pnode_with_variables_for_ssh_and_experiments():
    inventory = yaml.safe_load(files.render_inventory(IDENTITY, PATHS, SUBNETS, ["local-0", "local-1"]))
    hosts = inventory["pnode_pool"]["hosts"]
    assert list(hosts) == ["local-0", "local-1"]
    assert hosts["local-1"]["ansible_host"] == "172.28.0.12"
    assert hosts["local-1"]["benito_experiment_address"] == "10.254.0.12"
    assert hosts["local-1"]["pnode_type"] == "local"
    assert hosts["local-1"]["benito_control_addresses"] == "172.28.4.0-172.28.7.254"
    options = shlex.split(hosts["local-1"]["ansible_ssh_common_args"])
    assert "-C" not in shlex.split(hosts["local-1"]["ansible_ssh_args"])  # Ansible's own compresses, which is no use on one machine
    assert "StrictHostKeyChecking=yes" in options
    assert f"UserKnownHostsFile={PATHS.known_hosts}" in options


def test_known_hosts_has_one_line_for_each_pnode_without_the_comment():
    text = files.render_known_hosts({"172.28.0.11": "ssh-ed25519 AAAA local-0\n", "172.28.0.12": "ssh-ed25519 BBBB local-1\n"})
    assert text == "172.28.0.11 ssh-ed25519 AAAA\n172.28.0.12 ssh-ed25519 BBBB\n"


def test_pnode_keeps_all_capabilities_and_has_both_interfaces_on_their_bridges():
    settings = _settings(files.render_lxc(IDENTITY, PATHS, "local-1", "/cache/root", 1400, 524288))
    assert settings["lxc.cap.drop"] == [""]
    assert settings["lxc.net.0.link"] == [IDENTITY.control_bridge]
    assert settings["lxc.net.0.mtu"] == ["1400"]
    assert settings["lxc.net.1.link"] == [IDENTITY.experiment_bridge]
    assert int(settings["lxc.net.1.mtu"][0]) >= 1550
    assert settings["lxc.prlimit.nofile"] == ["1024:524288"]
    assert settings["lxc.rootfs.path"] == [f"overlay:/cache/root:{PATHS.pnode('local-1')}/upper"]


def test_configuration_raises_no_open_file_limit_if_that_is_impossible():
    assert "prlimit" not in files.render_lxc(IDENTITY, PATHS, "local-1", "/cache/root", 1500, 0)


def test_pnode_cannot_change_limits_of_the_shared_machine():
    automatic = _settings(files.render_lxc(IDENTITY, PATHS, "local-1", "/cache/root", 1500))["lxc.mount.auto"][0].split()
    assert "proc:mixed" in automatic and "sys:mixed" in automatic


def test_only_root_can_log_in_to_a_pnode():
    made = files.pnode_files(IDENTITY, SUBNETS, "local-0", "0" * 32, "nameserver 192.0.2.1\n", "ssh-ed25519 AAAA\n")
    assert made["root/.ssh/authorized_keys"] == ("ssh-ed25519 AAAA\n", 0o600)
    assert "Address=172.28.0.11/21" in made["etc/systemd/network/10-control.network"][0]
    assert "Gateway=172.28.0.1" in made["etc/systemd/network/10-control.network"][0]
    assert "Gateway" not in made["etc/systemd/network/20-experiment.network"][0]


def test_table_columns_fit_their_widest_text():
    assert files.render_table([("A", "B"), ("long", "x")]) == ["A     B", "long  x"]


def test_deb822_sources_are_read_except_disabled_ones():
    assert apt.parse_deb822(DEB822) == (
        apt.Source("http://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main", "contrib")),
        apt.Source("https://mirror.example/debian-security", ("bookworm-security",), ("main",)),
    )


def test_one_line_sources_are_read_with_and_without_options():
    text = ("deb [arch=amd64 signed-by=/k.gpg] http://a/debian trixie main # x\n# deb http://no/debian trixie main\n"
            "deb-src http://s/debian trixie main\ndeb http://b/debian trixie main")
    assert [source.uri for source in apt.parse_sources_list(text)] == ["http://a/debian", "http://b/debian"]


def test_pnodes_use_the_mirrors_of_a_debian_machine():
    lines = apt.debian_lines(apt.parse_deb822(DEB822), True, "bookworm")
    assert lines[0].endswith("http://mirror.example/debian bookworm main")
    assert lines[2].endswith("https://mirror.example/debian-security bookworm-security main")


@pytest.mark.parametrize("sources, is_debian", [(apt.parse_deb822(DEB822), False), ((), True), ((apt.Source("file:/mirror/debian", ("x",), ("main",)),), True)])
def test_pnodes_of_other_machines_use_debians_own_mirrors(sources, is_debian):
    assert all("deb.debian.org" in line for line in apt.debian_lines(sources, is_debian, "bookworm"))


def test_proxies_are_passed_to_pnodes_unless_they_are_on_the_loopback():
    dump = ('Acquire::http "";\nAcquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::Proxy "http://127.0.0.1:8080";\n'
            'Acquire::Check-Valid-Until "false";\nAPT::Architecture "amd64";\nAcquire::Languages "none";\n')
    kept = apt.kept_options(dump, {"http_proxy": "http://ignored:1"})
    assert kept == ('Acquire::http::Proxy "http://proxy.example:3128";', 'Acquire::Check-Valid-Until "false";')


def test_proxies_of_the_environment_are_used_if_apt_has_none():
    environment = {"http_proxy": "http://proxy.example:3128", "https_proxy": "http://user:word@localhost:3128"}
    assert apt.kept_options("", environment) == ('Acquire::http::Proxy "http://proxy.example:3128";',)
    assert apt.build_options("", environment) == ()


def _settings(text):
    settings = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _equals, value = line.partition("=")
            settings.setdefault(name.strip(), []).append(value.strip())
    return settings
