# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm templates as files: there whole or not at all, proven before use, removed when they are too many."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.qemu import template_making, template_notes, template_task, templates
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.command import Hardware
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.template_notes import templates_here
from ansible_collections.deter.benito.plugins.module_utils.hostplan import ImagePlan

WORDS = {"image": "0" * 32, "image_name": "debian-12", "memory_mb": 256}
MIB = 1 << 20


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The folder of templates, and an experiment's place, both in a folder of the test's own."""
    from ansible_collections.deter.benito.plugins.module_utils.host.base import paths

    for module in (templates, template_making, template_notes):
        monkeypatch.setattr(module, "TEMPLATES", str(tmp_path / "templates"))
    monkeypatch.setattr(paths, "ROOT", str(tmp_path / "var"))
    monkeypatch.setattr(paths, "RUN_ROOT", str(tmp_path / "run"))
    experiment = ExperimentPaths("Proj.exp")
    os.makedirs(experiment.directory)
    os.makedirs(experiment.run)
    return experiment


def made(key: str, used: float = 0.0, size: int = MIB) -> Path:
    """A template as template_making leaves it; its memory has data in the middle of zeros."""
    making = Path(templates.TEMPLATES) / f".making-{key}"
    making.mkdir(parents=True)
    with open(making / "memory", "wb") as stream:
        stream.truncate(4 * MIB)
        stream.seek(MIB + 12345)
        stream.write(os.urandom(size))
    (making / "state").write_bytes(b"devices")
    (making / "disk.qcow2").write_bytes(b"layer")
    (making / "seed.tar").write_bytes(b"of no use later")
    (making / "console.d").mkdir()
    (making / "console.d" / "log").write_bytes(b"nor this")
    templates.keep(key, WORDS, str(making), 12.34)
    found = Path(templates.TEMPLATES) / key
    if used:
        os.utime(found / "template.json", (used, used))
    return found


def test_an_experiment_has_a_copy_of_its_own_with_the_same_content_and_the_same_holes(here):
    original = made("a" * 32)
    mine = templates.take("a" * 32, here)
    for name in templates.FILES:
        assert Path(mine.directory, name).read_bytes() == (original / name).read_bytes()
        assert os.stat(f"{mine.directory}/{name}").st_mode & 0o777 == 0o600
    assert os.stat(mine.memory).st_blocks * 512 < 2 * MIB
    assert sorted(os.listdir(original)) == ["disk.qcow2", "memory", "state", "template.json"], "nothing else is kept"
    (original / "memory").write_bytes(b"changed")
    assert templates.take("a" * 32, here) == mine, "what was proven since the boot is not proven again"


@pytest.mark.parametrize("name", [*templates.FILES, "template.json"])
@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), lambda path: os.truncate(path, os.stat(path).st_size - 1), os.unlink,
], ids=["changed", "cut", "gone"])
def test_a_damaged_template_is_noticed_and_is_gone(here, name, damage):
    damage(made("b" * 32) / name)
    assert templates.take("b" * 32, here) is None
    assert not templates.is_there("b" * 32) and os.listdir(templates.TEMPLATES) == []
    assert not os.path.exists(f"{here.directory}/templates/{'b' * 32}")


def test_the_copy_is_proven_anew_after_the_hosts_boot(here):
    made("c" * 32)
    mine = templates.take("c" * 32, here)
    Path(mine.memory).write_bytes(b"damaged")
    os.unlink(f"{here.run}/template-{'c' * 32}")  # /run is empty after a boot
    assert os.path.getsize(templates.take("c" * 32, here).memory) == 4 * MIB


@pytest.mark.parametrize("left", [["memory"], ["memory", "state"], ["memory", "state", "disk.qcow2"], ["memory", "state", "disk.qcow2", "template.json.new"]])
def test_what_an_interrupted_making_leaves_is_no_template_and_is_swept(here, left):
    making = Path(templates.TEMPLATES) / f".making-{'d' * 32}"
    making.mkdir(parents=True)
    for name in left:
        (making / name).write_bytes(b"half")
    assert not templates.is_there("d" * 32) and templates.take("d" * 32, here) is None and templates_here() == []
    assert template_making.sweep(dry_run=True) == template_making.sweep() == [f"unfinished template {'d' * 32}: removed"]
    assert os.listdir(templates.TEMPLATES) == []


def test_what_is_being_made_is_not_swept(here):
    (Path(templates.TEMPLATES) / f".making-{'e' * 32}").mkdir(parents=True)
    with templates.making_lock("e" * 32, lambda: None):
        assert template_making.sweep() == []
    assert template_making.sweep() != []


def test_two_who_make_one_template_make_it_one_after_the_other(here):
    inside, most = 0, 0

    def make():
        nonlocal inside, most
        with templates.making_lock("f" * 32, lambda: None):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1

    threads = [threading.Thread(target=make) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 1 and not any(thread.is_alive() for thread in threads)
    assert os.listdir(templates.TEMPLATES) == [], "and leave no lock"


def test_who_waits_for_another_gives_up_when_the_experiment_leaves(here):
    def leaves():
        raise HostError("is being removed")

    with templates.making_lock("f" * 32, lambda: None):
        with pytest.raises(HostError, match="being removed"):
            with templates.making_lock("f" * 32, leaves):
                pytest.fail("had the lock")


def test_those_used_longest_ago_go_first(here):
    for age, key in enumerate(("1" * 32, "2" * 32, "3" * 32)):
        made(key, used=1_000_000 - age)
    sizes = {template["key"]: template["size_mb"] for template in templates_here()}
    assert list(sizes) == ["1" * 32, "2" * 32, "3" * 32] and all(1 <= size <= 2 for size in sizes.values())
    limit = sizes["1" * 32] + sizes["2" * 32]
    assert templates.shrink(limit, dry_run=True) == templates.shrink(limit) and [template["key"][0] for template in templates_here()] == ["1", "2"]
    templates.take("2" * 32, here)
    assert templates_here()[0]["key"] == "2" * 32, "using one makes it young"
    assert len(templates.shrink(0)) == 2 and os.listdir(templates.TEMPLATES) == []


def test_what_a_clone_takes_is_the_most_that_was_measured(here):
    path = made("4" * 32, used=1_000_000)
    for measured in (50, 70, 60):
        templates.remember_private("4" * 32, measured)
    assert templates.take("4" * 32, here).private_mb == 70 == json.loads((path / "template.json").read_text())["private_mb"]
    templates.remember_private("5" * 32, 70)  # removed meanwhile
    assert not templates.is_there("5" * 32)


def test_measuring_is_no_use(here):
    made("6" * 32, used=1_000_000)
    templates.remember_private("6" * 32, 70)
    assert templates_here()[0]["used"] == 1_000_000


@pytest.mark.parametrize("different", [{"memory_mb": 257}, {"image": "1" * 32}, {"qemu": "QEMU emulator version 9"}])
def test_whatever_differs_makes_another_template(different):
    assert templates.template_key({**WORDS, **different}) != templates.template_key(WORDS) == templates.template_key(dict(reversed(WORDS.items())))


def test_what_a_guest_can_tell_makes_another_template_and_nothing_else(monkeypatch):
    monkeypatch.setattr(templates, "_version", lambda _program: "QEMU emulator version 7.2.0")
    image = ImagePlan(digest="0" * 32, name="debian-12", form="disk", disk_format="qcow2", architecture="x86_64", kernel=True)
    hardware = Hardware(image, 512, 1, 0, "tcg")
    key = templates.template_key(templates.template_fingerprint(hardware))
    assert key == templates.template_key(templates.template_fingerprint(dataclasses.replace(hardware, translation_mb=96)))
    others = [{"memory_mb": 256}, {"cpus": 2}, {"disk_mb": 9000}, {"acceleration": "kvm"}, {"image": dataclasses.replace(image, digest="1" * 32)}]
    assert len({key, *(templates.template_key(templates.template_fingerprint(dataclasses.replace(hardware, **other))) for other in others)}) == 6
    monkeypatch.setattr(templates, "_version", lambda _program: "QEMU emulator version 9.0.0")
    assert templates.template_key(templates.template_fingerprint(hardware)) != key


def test_a_visit_lists_them_and_removes_only_what_is_over_a_limit_that_was_given(here):
    made("a" * 32, used=1000.0)
    made("b" * 32, used=2000.0)
    (Path(templates.TEMPLATES) / f".making-{'c' * 32}").mkdir()
    listed = template_task.run_task({"limit_mb": None, "check_mode": False})
    assert (listed["changed"], listed["changes"], [template["key"][0] for template in listed["templates"]]) == (False, [], ["b", "a"])
    told = template_task.run_task({"limit_mb": 0, "check_mode": True})
    assert (told["changed"], len(told["changes"]), told["templates"]) == (True, 3, listed["templates"])
    done = template_task.run_task({"limit_mb": 0, "check_mode": False})
    assert done == {"changed": True, "changes": told["changes"], "templates": []}
    assert os.listdir(templates.TEMPLATES) == []
