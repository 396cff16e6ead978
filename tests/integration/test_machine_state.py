# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of machine states, on which every test for leaks relies, finds each kind of leak."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
from machine_state import FOLDERS, SHARED_MACHINE, difference, snapshot

# kind of leak, command that makes it on a pnode, start of the line that reports it, command that removes it
LEAKS = (
    ("a link", "ip link add leak type bridge", "links: leak: is new", "ip link delete leak"),
    ("an address", "ip address add 192.0.2.1/32 dev lo", "addresses: lo 192.0.2.1/32: is new", "ip address delete 192.0.2.1/32 dev lo"),
    ("a route", "ip route add blackhole 192.0.2.0/24", "routes: blackhole 192.0.2.0/24", "ip route delete blackhole 192.0.2.0/24"),
    ("a namespace", "ip netns add leak", "namespaces: leak", "ip netns delete leak; umount -l /run/netns; rmdir /run/netns"),
    ("a mount", "mount -t tmpfs leak /mnt", "mounts: /mnt tmpfs: is new", "umount /mnt"),
    ("a process", "setsid sleep 4321 >/dev/null 2>&1 </dev/null &", "processes: sleep 4321: is new", "kill $(pidof sleep)"),
    ("a unit", "systemd-run -q --unit leak sleep 4322", "units: leak.service: is new", "systemctl stop leak"),
    ("a sysctl", "sysctl -qw net.ipv4.ip_default_ttl=63", "sysctls: net.ipv4.ip_default_ttl: was: 64, is: 63", "sysctl -qw net.ipv4.ip_default_ttl=64"),
    ("a file", "echo x > /etc/leak", "files: /etc/leak: is new", "rm /etc/leak"),
    ("a changed file", "echo >> /etc/hosts", "files: /etc/hosts: was", "sed -i '$d' /etc/hosts"),
)


@pytest.mark.parametrize(("make", "reported", "undo"), [leak[1:] for leak in LEAKS], ids=[leak[0] for leak in LEAKS])
def test_leak_is_found(testbed, make, reported, undo):
    pnode = testbed.pnodes[0]
    before = testbed.state(pnode)
    try:
        testbed.ssh(pnode, make)
        found = difference(before, testbed.state(pnode))
    finally:
        testbed.ssh(pnode, undo)
    assert [line for line in found if line.startswith(reported)], found
    assert difference(before, testbed.state(pnode)) == []


def test_idle_pnode_does_not_change(testbed):
    pnode = testbed.pnodes[0]
    before = testbed.state(pnode)
    time.sleep(5)
    assert difference(before, testbed.state(pnode)) == []


OTHERS = (
    ("files", "/var/lib/libuuid/clock.txt"), ("files", "/var/lib/docker/network/files/local-kv.db"), ("files", "/run/docker.sock"),
    ("files", "/root/.bash_history"), ("files", "/run/NetworkManager/resolv.conf"), ("files", "/etc/resolv.conf"), ("files", "/run/cups/cups.sock"),
    ("files", "/var/spool/cron/crontabs/someone"),
    ("mounts", "/var/lib/docker/overlay2/3f/merged overlay"), ("mounts", "/run/docker/netns/default nsfs"), ("processes", "/usr/sbin/cron -f"),
    ("processes", "/usr/bin/dockerd -H fd://"), ("units", "docker.service"), ("links", "docker0"), ("links", "br-0123456789ab"),
)
OURS = (
    ("files", "/root/.ansible.cfg"), ("files", "/root/result"), ("files", "/etc/ssh/ssh_config.d/benito.conf"), ("files", "/run/deter.benito/sysctls.json"),
    ("files", "/var/benito"),
    ("files", "/usr/local/sbin/benito-host"), ("files", "/run/lxc/lock"), ("files", "/var/lib/lxc/demo-0"), ("files", "/var/lib/misc/dnsmasq.leases"),
    ("mounts", "/root/demo/pnodes/demo-0 overlay"), ("processes", "lxc-start -n demo-0"), ("processes", "qemu-system-x86_64 -name bot"),
    ("units", "benito-host@Demo.catch.service"), ("links", "bbabcdefghijklm"), ("sysctls", "net.ipv4.ip_forward"), ("firewall", "table inet benito_0"),
)


@pytest.mark.parametrize(("category", "item", "seen"), [(*item, False) for item in OTHERS] + [(*item, True) for item in OURS])
def test_other_programs_of_a_shared_machine_are_left_out_and_leaks_of_ours_are_found(category, item, seen):
    assert category != "files" or any(item.startswith(folder + "/") or item == folder for folder in FOLDERS)
    before = {"packages": {}, category: {}}
    assert bool(difference(before, {"packages": {}, category: {item: "-rw-r--r-- 0:0"}}, SHARED_MACHINE)) == seen


@pytest.mark.parametrize(("runner", "seen"), [(os.getpid(), False), (1, True), (None, True)])
def test_only_processes_of_other_suites_are_ignored(monkeypatch, runner, seen):
    monkeypatch.delenv("BENITO_SUITES", raising=False)
    if runner:
        monkeypatch.setenv("BENITO_SUITES", str(runner))
    with subprocess.Popen(["sleep", "4323.25"]) as process:
        try:
            assert ("sleep 4323.25" in snapshot()["processes"]) == seen
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["ip", "nft", "systemctl", "dpkg-query"])
def test_look_fails_if_a_command_fails(monkeypatch, tmp_path, command):
    (tmp_path / command).write_text("#!/bin/sh\necho out of memory >&2; exit 4\n")
    (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match=f"(?s)^{command} .*: exit status 4: out of memory$"):
        snapshot()


def test_files_of_installed_packages_are_exempt(testbed):
    pnode = testbed.pnodes[1]
    before = testbed.state(pnode)
    testbed.ssh(pnode, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends rsync")
    assert difference(before, testbed.state(pnode)) == []
