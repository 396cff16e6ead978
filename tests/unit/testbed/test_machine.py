# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.files import write_text
from ansible_collections.deter.benito.plugins.module_utils.testbed import kernel
from ansible_collections.deter.benito.plugins.module_utils.testbed.base import BaseCache, Recipe
from ansible_collections.deter.benito.plugins.module_utils.testbed.sysctls import MachineLimits, too_low

RECIPE = Recipe("bookworm", "amd64", ("deb http://a/debian bookworm main",), ("systemd",), (), ())
MONDAY, SUNDAY = time.strptime("2025-06-02", "%Y-%m-%d"), time.strptime("2025-06-08", "%Y-%m-%d")


@pytest.fixture(name="proc")
def fixture_proc(tmp_path):
    """Make a tree like /proc/sys with an inotify limit that is too low, forwarding off, and one interface that forwards."""
    for path, value in {
        "fs/inotify/max_user_instances": 128, "net/ipv4/ip_forward": 0, "net/ipv4/conf/all/accept_redirects": 0,
        "net/ipv4/conf/all/forwarding": 0, "net/ipv4/conf/eth0/forwarding": 1, "net/ipv4/conf/eth1/forwarding": 0, "kernel/pid_max": 4194304,
    }.items():
        (tmp_path / "proc" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / path).write_text(f"{value}\n")
    return tmp_path / "proc"


def _limits(user, proc):
    return MachineLimits(user, str(proc.parent / "run"), str(proc))


def test_only_limits_that_are_too_low_are_raised():
    assert too_low({"a": 1, "b": 5}, {"a": 4, "b": 4, "c": 4}) == {"a": 4}


def test_last_testbed_restores_the_limits_of_the_machine(proc):
    first, second = _limits("first", proc), _limits("second", proc)
    first.join("/first")
    second.join("/second")
    assert (proc / "fs/inotify/max_user_instances").read_text() == "8192"
    assert first.leave() == ()
    assert (proc / "net/ipv4/ip_forward").read_text() == "1"
    assert second.leave() == ()
    assert (proc / "fs/inotify/max_user_instances").read_text() == "128"
    assert (proc / "net/ipv4/ip_forward").read_text() == "0"
    assert not (proc.parent / "run").exists()


def test_settings_that_the_kernel_changes_with_forwarding_are_restored(proc):
    limits = _limits("one", proc)
    limits.join("/one")
    (proc / "net/ipv4/conf/all/accept_redirects").write_text("1")
    (proc / "net/ipv4/conf/eth0/forwarding").write_text("0")
    limits.leave()
    assert (proc / "net/ipv4/conf/all/accept_redirects").read_text() == "0"
    assert (proc / "net/ipv4/conf/eth0/forwarding").read_text() == "1"


def test_limit_that_somebody_else_changed_meanwhile_is_kept(proc):
    limits = _limits("one", proc)
    limits.join("/one")
    (proc / "fs/inotify/max_user_instances").write_text("99999")
    assert limits.leave() == ("fs.inotify.max_user_instances",)
    assert (proc / "fs/inotify/max_user_instances").read_text() == "99999"


def test_register_from_before_a_reboot_is_ignored(proc):
    limits = _limits("one", proc)
    limits.join("/one")
    text = (proc.parent / "run/sysctls.json").read_text()
    (proc.parent / "run/sysctls.json").write_text(text.replace('"boot": "', '"boot": "another'))
    assert not limits.joined()


def test_leaving_twice_or_without_joining_does_nothing(proc):
    assert _limits("one", proc).leave() == ()
    assert not (proc.parent / "run").exists()


def test_all_missing_abilities_are_reported_together(tmp_path):
    probes = (kernel.Probe("flying", "pnodes", "echo no wings >&2; false", ()), kernel.Probe("walking", "pnodes", "true", ()),
              kernel.Probe("swimming", "vnodes", "echo no fins >&2; exit 3", ()))
    assert kernel.lacking(str(tmp_path / "not" / "there"), probes) == (
        "flying, needed for pnodes: no wings", "swimming, needed for vnodes: no fins")
    assert list(tmp_path.iterdir()) == []


def test_base_is_named_after_recipe_and_week():
    assert RECIPE.key(MONDAY) == RECIPE.key(SUNDAY) == f"bookworm-amd64-{RECIPE.hash}-2025w23"
    other = Recipe("bookworm", "amd64", RECIPE.sources, ("systemd", "vim"), (), ())
    assert other.hash != RECIPE.hash


def test_interrupted_build_leaves_nothing_that_is_used_later(tmp_path, monkeypatch):
    cache = BaseCache(str(tmp_path))

    def interrupted(root, recipe):
        os.makedirs(root)
        raise KeyboardInterrupt

    monkeypatch.setattr("ansible_collections.deter.benito.plugins.module_utils.testbed.base._debootstrap", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.ensure("key", RECIPE, "user", str(tmp_path))
    assert not cache.has("key")
    assert os.listdir(tmp_path / "base") == [".lock"]


def test_building_a_base_removes_bases_that_no_testbed_uses(tmp_path, monkeypatch):
    cache = BaseCache(str(tmp_path))
    for key, root in (("used", str(tmp_path)), ("unused", str(tmp_path / "gone"))):
        os.makedirs(cache.root(key))
        write_text(str(tmp_path / "base" / key / "users" / "one"), root + "\n")
    os.makedirs(tmp_path / "base" / ".partial-killed" / "root")
    for step in ("_debootstrap", "_finish"):
        monkeypatch.setattr(f"ansible_collections.deter.benito.plugins.module_utils.testbed.base.{step}", lambda root, recipe: os.makedirs(root, exist_ok=True))
    assert cache.ensure("new", RECIPE, "me", str(tmp_path)) is True
    assert cache.ensure("new", RECIPE, "me", str(tmp_path)) is False
    assert sorted(os.listdir(tmp_path / "base")) == [".lock", "new", "used"]
    cache.release("me")
    assert os.listdir(tmp_path / "base" / "new" / "users") == []


def test_testbed_needs_only_the_standard_library():
    code = f"import {kernel.__package__}.local_testbed, sys; print([name for name in ('yaml', 'lxml', 'ansible') if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": ".ansible/collections"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.strip() == "[]"
