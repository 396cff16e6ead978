# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images on a vhost: what is missing, what arrives whole, what arrives damaged, what could not start there."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import paths as paths_module
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.delivery import node_images
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, ImagePlan, to_json

DISK = ImagePlan("d1", "debian-12", "disk", disk_format="qcow2", kernel=True)
ROOT = ImagePlan("e2", "debian-13", "root")


@pytest.fixture
def vhost(tmp_path, monkeypatch):
    """A vhost in tmp_path whose plan needs both images."""
    monkeypatch.setattr(node_images, "IMAGES", str(tmp_path / "images"))
    monkeypatch.setattr(node_images, "_UNIFIED", str(tmp_path / "unified"))
    monkeypatch.setattr(paths_module, "ROOT", str(tmp_path))
    (tmp_path / "unified").touch()
    paths = ExperimentPaths("P.e")
    os.makedirs(paths.directory)
    with open(paths.plan, "w", encoding="utf-8") as stream:
        stream.write(to_json(HostPlan("P", "e", "pnode-0000", images=(DISK, ROOT))))
    return paths


def bring(missing, image, systemd=252):
    """Copy an image as the role does: the bytes of each file are its name."""
    files = {name: {"sha256": hashlib.sha256(name.encode()).hexdigest(), "size": len(name)} for name in missing.files[:-1]}
    for name in files:
        _write(f"{missing.arriving}/{name}", name)
    _write(f"{missing.arriving}/image.json", json.dumps({"digest": image.digest, "form": image.form, "systemd": systemd, "files": files}))


def _write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def test_images_that_have_arrived_whole_are_there_and_not_asked_for_again(vhost):
    disk, root = node_images.missing_images(vhost)
    assert (disk.files, root.files) == (("disk", "kernel", "initrd", "image.json"), ("root.tar.zst", "image.json"))
    bring(disk, DISK)
    bring(root, ROOT)
    assert node_images.take_in(vhost) == ["image debian-12 (d1): brought here", "image debian-13 (e2): brought here"]
    assert node_images.missing_images(vhost) == [] and node_images.take_in(vhost) == []
    assert sorted(os.listdir(node_images.IMAGES)) == ["d1", "e2"]


def modes(path):
    """Return the modes of a directory and of everything in it."""
    return {stat.S_IMODE(os.stat(found).st_mode) for found in (path, *(f"{path}/{name}" for name in os.listdir(path)))}


def test_only_root_can_enter_the_cache_and_read_images(vhost, tmp_path):
    os.makedirs(node_images.IMAGES, mode=0o755)  # as an older version made it
    os.chmod(tmp_path, 0o755)
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image)
    node_images.take_in(vhost)
    assert modes(node_images.IMAGES) == {0o700} and stat.S_IMODE(os.stat(tmp_path).st_mode) == 0o700
    for digest in ("d1", "e2"):
        assert modes(f"{node_images.IMAGES}/{digest}") == {0o700, 0o600}
    os.chmod(node_images.IMAGES, 0o755)
    assert node_images.missing_images(vhost, dry_run=True) == [] and modes(node_images.IMAGES) == {0o755, 0o700}
    assert node_images.missing_images(vhost) == [] and modes(node_images.IMAGES) == {0o700}


def change(path, text, keep_times=True):
    """Write over a file; with its old times, as what damages a disk would."""
    times = os.stat(path)
    _write(path, text)
    if keep_times:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize("damaged", ["kerne!", "kern", None])
def test_an_image_that_was_damaged_here_is_brought_again_and_what_stands_on_it_stays(vhost, damaged):
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image)
    node_images.take_in(vhost)
    kernel, tree = f"{node_images.IMAGES}/d1/kernel", f"{node_images.IMAGES}/d1/root-shifted-1/etc"
    os.makedirs(tree)
    if damaged is None:
        os.unlink(kernel)
    else:
        change(kernel, damaged)
    with pytest.raises(HostError, match="image debian-12: .* has not arrived"):
        node_images.take_in(vhost)
    assert [missing.digest for missing in node_images.missing_images(vhost, dry_run=True)] == ["d1"]
    bring(node_images.missing_images(vhost)[0], DISK)
    assert node_images.take_in(vhost) == ["image debian-12 (d1): brought here"]
    with open(kernel, encoding="utf-8") as stream:
        assert stream.read() == "kernel"
    assert os.path.isdir(tree) and node_images.missing_images(vhost) == [] and node_images.take_in(vhost) == []
    assert sorted(os.listdir(node_images.IMAGES)) == ["d1", "e2"]


def test_what_was_proven_is_not_read_again_until_it_changes(vhost, monkeypatch):
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image)
    node_images.take_in(vhost)
    read, sha256 = [], node_images._sha256
    monkeypatch.setattr(node_images, "_sha256", lambda path: read.append(os.path.basename(path)) or sha256(path))
    assert node_images.missing_images(vhost) == [] and read == []
    change(f"{node_images.IMAGES}/d1/disk", "disk", keep_times=False)
    assert node_images.missing_images(vhost) == [] and node_images.missing_images(vhost) == [] and read == ["disk"]


def test_an_image_whose_note_is_damaged_is_brought_again(vhost):
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image)
    node_images.take_in(vhost)
    _write(f"{node_images.IMAGES}/e2/image.json", "{")
    assert [missing.digest for missing in node_images.missing_images(vhost)] == ["e2"]


def test_check_mode_makes_nothing(vhost):
    assert len(node_images.missing_images(vhost, dry_run=True)) == 2
    assert not os.path.exists(node_images.IMAGES)


def test_a_damaged_file_is_named_and_what_arrived_goes(vhost):
    disk, _root = node_images.missing_images(vhost)
    bring(disk, DISK)
    _write(f"{disk.arriving}/kernel", "something else")
    with pytest.raises(HostError, match="image debian-12: the file kernel arrived damaged"):
        node_images.take_in(vhost)
    assert not os.path.exists(disk.arriving) and not os.path.exists(f"{node_images.IMAGES}/d1")


def test_a_file_that_did_not_arrive_is_named(vhost):
    disk, _root = node_images.missing_images(vhost)
    bring(disk, DISK)
    os.unlink(f"{disk.arriving}/initrd")
    with pytest.raises(HostError, match="initrd has not arrived"):
        node_images.take_in(vhost)


def test_another_image_than_the_plans_is_refused(vhost):
    disk, _root = node_images.missing_images(vhost)
    bring(disk, ImagePlan("ff", "other", "disk"))
    with pytest.raises(HostError, match="ff of form disk arrived, the plan wants d1 of form disk"):
        node_images.take_in(vhost)


@pytest.mark.parametrize("systemd, unified, starts", [(257, False, False), (257, True, True), (252, False, True), (0, False, True)])
def test_a_container_that_needs_newer_control_groups_than_the_host_has_is_refused_by_name(vhost, tmp_path, systemd, unified, starts):
    if not unified:
        (tmp_path / "unified").unlink()
    disk, root = node_images.missing_images(vhost)
    bring(disk, DISK, systemd)
    bring(root, ROOT, systemd)
    if starts:
        assert len(node_images.take_in(vhost)) == 2
    else:
        with pytest.raises(HostError, match="image debian-13 cannot be an openvz node on this host: its systemd 257"):
            node_images.take_in(vhost)


def arrive(brought=False, check_mode=False):
    return node_images.run_task({"experiment": "P.e", "brought": brought, "check_mode": check_mode})


def test_a_visit_tells_what_to_bring_and_another_one_takes_it_in(vhost, monkeypatch):
    monkeypatch.setattr(node_images, "room", lambda directory: {node_images.IMAGES: 1000}[directory])
    listed = [{"digest": "d1", "name": "debian-12", "arrived": {}}, {"digest": "e2", "name": "debian-13", "arrived": {}}]
    assert arrive() == {"missing": listed, "changes": [], "room": 1000}
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image)
    assert arrive(brought=True) == {"missing": [], "changes": ["image debian-12 (d1): brought here", "image debian-13 (e2): brought here"]}
    assert arrive() == arrive(brought=True) == {"missing": [], "changes": []}


def test_a_visit_in_check_mode_only_says_what_would_be_brought(vhost):
    assert arrive(check_mode=True) == {"missing": [], "changes": ["image debian-12 (d1): to be brought here", "image debian-13 (e2): to be brought here"]}
    assert not os.path.exists(node_images.IMAGES)


def test_a_visit_refuses_what_cannot_start_here_also_when_nothing_is_missing(vhost, tmp_path):
    for missing, image in zip(node_images.missing_images(vhost), (DISK, ROOT)):
        bring(missing, image, systemd=257)
    node_images.take_in(vhost)
    (tmp_path / "unified").unlink()
    with pytest.raises(HostError, match="image debian-13 cannot be an openvz node on this host"):
        arrive()


def test_a_visit_tells_what_an_interrupted_run_has_brought_and_lets_only_root_change_it(vhost):
    disk, _root = node_images.missing_images(vhost)
    _write(f"{disk.arriving}/disk", "disk")
    _write(f"{disk.arriving}/kernel", "ker")
    os.chmod(disk.arriving, 0o777)
    assert arrive()["missing"][0]["arrived"] == {"disk": hashlib.sha256(b"disk").hexdigest(), "kernel": hashlib.sha256(b"ker").hexdigest()}
    assert os.stat(disk.arriving).st_mode & 0o777 == 0o700


def test_what_runs_that_never_came_back_have_brought_goes_after_a_day(vhost):
    os.makedirs(f"{node_images.IMAGES}/.arriving-ff-P.gone")
    _write(f"{node_images.IMAGES}/.arriving-ff-P.gone/disk", "half")
    old = time.time() - 2 * 86400
    os.utime(f"{node_images.IMAGES}/.arriving-ff-P.gone/disk", (old, old))
    os.utime(f"{node_images.IMAGES}/.arriving-ff-P.gone", (old, old))
    os.makedirs(f"{node_images.IMAGES}/.arriving-ee-P.other")
    node_images.missing_images(vhost)
    assert sorted(os.listdir(node_images.IMAGES)) == [".arriving-d1-P.e", ".arriving-e2-P.e", ".arriving-ee-P.other"]
