# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetched images: by path and by HTTP, compressed or not, and everything that may be wrong with them."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import hashlib
import http.server
import io
import json
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import threading
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.catalogue import PATH, SOURCE_KINDS, URL, CatalogueImage, SourceKind
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.images.fetch import fetch, fetched_plan
from ansible_collections.deter.benito.plugins.module_utils.images.opening import OPENERS, OpenedImage
from ansible_collections.deter.benito.plugins.module_utils.images.sources import SOURCES, making_of
from ansible_collections.deter.benito.plugins.module_utils.images.store import ImageStore, sha256_of

needs_tools = pytest.mark.skipif(not (shutil.which("qemu-img") and shutil.which("zstd")), reason="qemu-utils and zstd are not installed")
CONTENT = b"boot" + bytes(3 << 20) + b"end!" * 128


@pytest.fixture
def store(tmp_path):
    (tmp_path / "cache").mkdir()
    return ImageStore(str(tmp_path / "cache"))


@pytest.fixture
def server(tmp_path):
    """The URL of an HTTP server for the files in tmp_path/www."""
    (tmp_path / "www").mkdir()
    handler = functools.partial(type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None}), directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def have(store, image):
    plan = fetched_plan(image)
    store.ensure(plan, lambda directory: fetch(image, directory))
    return plan, store.path(plan.digest)


def refused(store, image):
    with pytest.raises(HostError) as caught:
        have(store, image)
    assert [name for name in os.listdir(store.directory) if name != ".lock"] == []
    return str(caught.value)


def packed(data, compression):
    if compression == "zst":
        return subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True).stdout
    return {"": bytes, "bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress}[compression](data)


@needs_tools
@pytest.mark.parametrize("compression", ["", "bz2", "xz", "gz", "zst"])
def test_a_raw_disk_is_had_in_whatever_way_it_is_compressed(store, tmp_path, compression):
    path = tmp_path / "image.bin"
    path.write_bytes(packed(CONTENT, compression))
    image = CatalogueImage("mine", PATH, str(path), sha256=sha256_of(str(path)), format="raw")
    plan, directory = have(store, image)
    with open(f"{directory}/disk", "rb") as stream:
        assert stream.read() == CONTENT
    assert sorted(os.listdir(directory)) == ["disk", "image.json"]
    note = json.load(open(f"{directory}/image.json", encoding="utf-8"))
    assert note["files"]["disk"] == {"sha256": hashlib.sha256(CONTENT).hexdigest(), "size": len(CONTENT)}
    assert (plan.form, plan.disk_format, plan.cloud_init, plan.kernel) == ("disk", "raw", True, False)


@needs_tools
def test_only_its_owner_can_enter_the_cache(tmp_path):
    path, umask = tmp_path / "image.bin", os.umask(0o022)
    try:
        path.write_bytes(CONTENT)
        image = CatalogueImage("mine", PATH, str(path), format="raw")
        cache = tmp_path / "home" / "cache" / "images"
        plan, directory = have(ImageStore(str(cache)), image)
        assert all(stat.S_IMODE(os.stat(folder).st_mode) == 0o700 for folder in (directory, cache, cache.parent, cache.parent.parent))
        assert {stat.S_IMODE(os.stat(f"{directory}/{name}").st_mode) for name in os.listdir(directory)} == {0o600}
        os.chmod(cache, 0o755)  # as an older version made it
        have(ImageStore(str(cache)), image)
        assert ImageStore(str(cache)).has(plan.digest) and stat.S_IMODE(os.stat(cache).st_mode) == 0o700
    finally:
        os.umask(umask)


@needs_tools
def test_an_image_comes_by_http_once(store, server, tmp_path):
    disk = tmp_path / "www" / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "8M"], check=True)
    image = CatalogueImage("mine", URL, f"{server}/disk.qcow2", sha256=sha256_of(str(disk)))
    plan, directory = have(store, image)
    disk.unlink()
    assert store.has(plan.digest) and not store.ensure(plan, lambda _directory: pytest.fail("made again"))
    assert sha256_of(f"{directory}/disk") == image.sha256


@needs_tools
def test_a_wrong_checksum_is_one_error_and_leaves_nothing(store, server, tmp_path):
    (tmp_path / "www" / "disk").write_bytes(CONTENT)
    for source, reference in ((URL, f"{server}/disk"), (PATH, str(tmp_path / "www" / "disk"))):
        message = refused(store, CatalogueImage("mine", source, reference, sha256="0" * 64))
        assert "image mine: " in message and "0" * 64 in message
        assert (hashlib.sha256(CONTENT).hexdigest() in message) == (source == URL)


@needs_tools
def test_what_cannot_be_fetched_says_why(store, server, tmp_path):
    assert "404" in refused(store, CatalogueImage("mine", URL, f"{server}/none", sha256="0" * 64))
    assert "refused" in refused(store, CatalogueImage("mine", URL, "http://127.0.0.1:1/none", sha256="0" * 64))
    assert "No such file" in refused(store, CatalogueImage("mine", PATH, str(tmp_path / "none"), sha256="0" * 64))


@needs_tools
def test_a_damaged_archive_is_refused(store, tmp_path):
    path = tmp_path / "image.xz"
    path.write_bytes(lzma.compress(os.urandom(100000))[:-5000])
    assert "cannot be unpacked" in refused(store, CatalogueImage("mine", PATH, str(path), sha256=sha256_of(str(path)), format="raw"))


@needs_tools
def test_a_disk_is_what_it_is_said_to_be(store, tmp_path):
    raw, qcow2 = tmp_path / "raw", tmp_path / "qcow2"
    raw.write_bytes(CONTENT)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(qcow2), "8M"], check=True)
    assert "no qcow2 disk" in refused(store, CatalogueImage("mine", PATH, str(raw), format="qcow2"))
    assert "is a qcow2 disk" in refused(store, CatalogueImage("mine", PATH, str(qcow2), format="raw"))


@needs_tools
def test_a_disk_that_would_have_the_vhost_open_other_files_is_refused(store, tmp_path):
    qcow2 = tmp_path / "qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw", str(qcow2), "8M"], check=True)
    assert "/etc/shadow" in refused(store, CatalogueImage("mine", PATH, str(qcow2)))


@needs_tools
@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst"])
def test_a_root_directory_is_kept_as_a_zstd_archive(store, tmp_path, compression):
    path = tmp_path / "root.tar"
    path.write_bytes(packed(archive("./sbin/init", "./usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so"), compression))
    plan, directory = have(store, CatalogueImage("mine", PATH, str(path), form="root"))
    listed = subprocess.run(["tar", "--list", "--zstd", "-f", f"{directory}/root.tar.zst"], capture_output=True, text=True, check=True).stdout.split()
    assert "./sbin/init" in listed
    assert (plan.form, plan.disk_format, plan.cloud_init) == ("root", "", False)
    assert json.load(open(f"{directory}/image.json", encoding="utf-8"))["systemd"] == 257


@needs_tools
def test_an_archive_without_a_system_is_refused(store, tmp_path):
    path = tmp_path / "root.tar"
    path.write_bytes(archive("./README"))
    assert "/sbin/init" in refused(store, CatalogueImage("mine", PATH, str(path), form="root"))


def test_the_digest_follows_the_content_and_how_it_is_used(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(b"1")
    first = CatalogueImage("mine", PATH, str(path))
    digest = fetched_plan(first).digest
    assert fetched_plan(CatalogueImage("other", PATH, str(path))).digest == digest
    assert fetched_plan(CatalogueImage("mine", PATH, str(path), cloud_init=False)).digest != digest
    path.write_bytes(b"2")
    assert fetched_plan(first).digest != digest


def archive(*names):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def test_what_a_site_can_name_can_be_had():
    assert set(SOURCES) == {name for name, kind in SOURCE_KINDS.items() if kind.rule}


@needs_tools
def test_a_further_source_is_one_entry_of_the_kinds_and_one_of_the_openers(store, monkeypatch):
    @contextlib.contextmanager
    def from_memory(image):
        yield OpenedImage(io.BytesIO(image.reference.encode() + CONTENT), 0, "memory")

    monkeypatch.setitem(SOURCE_KINDS, "memory", SourceKind({"type": "string"}))
    monkeypatch.setitem(OPENERS, "memory", from_memory)
    monkeypatch.setitem(SOURCES, "memory", SOURCES[PATH])
    image = CatalogueImage("mine", "memory", "a-reference", sha256=hashlib.sha256(b"a-reference" + CONTENT).hexdigest(), format="raw")
    making = making_of(image, "disk", time.gmtime())
    assert making.message == "image mine (disk): fetched from a-reference"
    store.ensure(making.plan, making.make)
    assert os.path.getsize(f"{store.path(making.plan.digest)}/disk") == len(b"a-reference" + CONTENT)
