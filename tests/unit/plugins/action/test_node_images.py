# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images come from the controller's cache to a vhost: what is missing, as whoever logs in there, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pytest
from ansible.plugins.become import BecomeBase
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.delivery import node_images
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, ImagePlan, to_json
from ansible_collections.deter.benito.plugins.plugin_utils import host_action

IMAGE = ImagePlan("d1", "debian-12", "disk", disk_format="qcow2", kernel=True)
BROUGHT = ["image debian-12 (d1): brought here"]


class AnotherUser(BecomeBase):
    """Becomes root from a user who has another name, and is root all the same."""

    name = "another"

    def build_become_command(self, cmd, shell):
        return cmd

    def get_option(self, option, hostvars=None, playcontext=None):
        return "root" if option == "become_user" else None

    def expect_prompt(self):
        return False


@pytest.fixture(name="cache")
def fixture_cache(tmp_path, vhost):
    """The controller's cache with the one image that a plan on the vhost needs; the bytes of each of its files are its name."""
    paths = ExperimentPaths("P.e")
    os.makedirs(paths.directory)
    with open(paths.plan, "w", encoding="utf-8") as stream:
        stream.write(to_json(HostPlan("P", "e", "pnode", images=(IMAGE,))))
    folder = tmp_path / "a cache" / "d1"
    folder.mkdir(parents=True)
    files = {}
    for name in ("disk", "kernel", "initrd"):
        (folder / name).write_text(name)
        files[name] = {"sha256": hashlib.sha256(name.encode()).hexdigest(), "size": len(name)}
    (folder / "image.json").write_text(json.dumps({"digest": "d1", "form": "disk", "files": files}))
    return folder.parent


@pytest.fixture(name="have_images")
def fixture_have_images(run, cache):
    return lambda **options: run("node_images", **{"pid": "P", "eid": "e", "cache": str(cache), **options})


def names(connection):
    return [os.path.basename(path) for path, _target in connection.brought if path.endswith(("disk", "kernel", "initrd", "image.json"))]


def test_what_is_missing_comes_and_is_not_brought_again(have_images, connection, capsys):
    done = have_images()
    assert (done["changed"], done["changes"], done["diff"]["after"]) == (True, BROUGHT, f"{BROUGHT[0]}\n")
    assert names(connection) == ["disk", "kernel", "initrd", "image.json"]
    assert os.listdir(node_images.IMAGES) == ["d1"]
    assert sorted(os.listdir(f"{node_images.IMAGES}/d1")) == ["disk", "image.json", "initrd", "kernel", "proven.json"]
    again = have_images()
    assert (again["changed"], again["changes"], len(names(connection))) == (False, [], 4)
    assert "debian-12" not in capsys.readouterr().out


def test_check_mode_only_says_what_would_be_brought(have_images, connection, vhost):
    done = have_images(check_mode=True)
    assert (done["changed"], done["changes"]) == (True, ["image debian-12 (d1): to be brought here"])
    assert names(connection) == [] and not (vhost / "var/cache").exists()


def test_what_an_interrupted_run_brought_whole_is_not_brought_again(have_images, connection):
    there = node_images.arriving_at("d1", "P.e")
    os.makedirs(there)
    for name, content in (("disk", "disk"), ("kernel", "kerne!"), ("initrd", "ini")):
        with open(f"{there}/{name}", "w", encoding="utf-8") as stream:
            stream.write(content)
    assert have_images()["changes"] == BROUGHT
    assert names(connection) == ["kernel", "initrd", "image.json"]


@pytest.mark.parametrize("pipelining", [False, True])
def test_files_that_travel_as_another_user_become_roots_and_leave_nothing(have_images, connection, tmp_path, monkeypatch, pipelining):
    monkeypatch.setattr(connection, "is_pipelining_enabled", lambda wrap_async=False: pipelining)
    connection.set_become_plugin(AnotherUser())
    connection.default_user = "operator"
    before = sorted(os.listdir(tmp_path))
    assert have_images()["changes"] == BROUGHT
    assert not any(target.startswith(node_images.IMAGES) for _path, target in connection.brought)
    assert {os.stat(f"{node_images.IMAGES}/d1/{name}").st_uid for name in os.listdir(f"{node_images.IMAGES}/d1")} == {os.getuid()}
    assert sorted(os.listdir(tmp_path)) == before


def test_a_file_that_cannot_be_put_where_it_belongs_is_named_and_leaves_nothing(have_images, connection, tmp_path):
    connection.set_become_plugin(AnotherUser())
    connection.default_user = "operator"
    os.makedirs(f"{node_images.arriving_at('d1', 'P.e')}/image.json")
    before = sorted(os.listdir(tmp_path))
    done = have_images()
    assert done["failed"] and done["msg"].startswith("image debian-12: image.json, 1 MiB: mv: ")
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name, content, why", [
    ("kernel", None, "{0}/kernel is not on the controller: swap in again, the role deter.benito.images makes it"),
    ("image.json", None, "{0}/image.json is not on the controller: swap in again, the role deter.benito.images makes it"),
    ("disk", "dis", "{0}/disk is damaged: it has 3 bytes, not 4: swap in again, the role deter.benito.images makes it again"),
    ("image.json", "[]", "{0}/image.json is damaged: it does not list the files: swap in again, the role deter.benito.images makes it again"),
])
def test_what_is_wrong_with_the_cache_is_said_before_anything_is_copied(have_images, connection, cache, name, content, why):
    path = cache / "d1" / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    assert have_images() == {"failed": True, "changed": False, "msg": "image debian-12: " + why.format(cache / "d1")}
    assert names(connection) == []


def test_images_that_do_not_fit_are_not_begun(have_images, connection, monkeypatch):
    directory, files = host_action.program_files()
    larger = {name: text.replace("LEAST_RESERVE = 1 << 30", "LEAST_RESERVE = 1 << 60") for name, text in files.items()}
    assert larger != files
    monkeypatch.setattr(host_action, "program_files", lambda: (directory, larger))
    done = have_images()
    assert done["failed"] and done["msg"].startswith("the missing images have 1 MiB, and this host has room for 0 MiB below /var/cache/benito: ")
    assert names(connection) == []


def test_what_only_its_checksum_tells_is_noticed_on_the_vhost(have_images, cache):
    (cache / "d1" / "disk").write_text("dusk")
    done = have_images()
    assert done["failed"] and done["msg"].startswith("image debian-12: the file disk arrived damaged: swap in again.")
    assert os.listdir(node_images.IMAGES) == []


def test_a_vhost_gets_no_other_files_of_the_controllers(have_images, connection, monkeypatch):
    asked_for = {"digest": "../../secret", "name": "debian-12", "arrived": {}}
    monkeypatch.setattr(host_action.HostAction, "run_task", lambda *_: {"missing": [asked_for], "changes": []})
    assert have_images()["msg"] == "'../../secret' is not the digest of an image"
    assert connection.brought == []


def test_what_takes_long_is_shown(have_images, connection, monkeypatch, capsys):
    monkeypatch.setattr(host_action, "_POLL_S", 0.05)
    put_file = connection.put_file

    def slowly(path, target):
        time.sleep(0.2)
        put_file(path, target)

    connection.put_file = slowly
    assert have_images()["changed"]
    assert capsys.readouterr().out.count("pnode: image debian-12: disk, 1 MiB (0 s)") == 1
