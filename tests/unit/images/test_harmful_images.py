# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that were made to do harm: they lead to other files, they never end, they unpack to more than a disk holds."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import http.server
import io
import lzma
import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.catalogue import PATH, URL, CatalogueImage
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base import free_space, syscalls
from ansible_collections.deter.benito.plugins.module_utils.images.fetch import fetch, fetched_plan
from ansible_collections.deter.benito.plugins.module_utils.images.store import ImageStore
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

pytestmark = pytest.mark.skipif(not (shutil.which("qemu-img") and shutil.which("zstd")), reason="qemu-utils and zstd are not installed")
SUM = "0" * 64
MIB = 1 << 20
SECRET = b"root:$y$j9T$secret\n"


@pytest.fixture(name="secret")
def fixture_secret(tmp_path):
    """A file of the controller that no image may be made of."""
    path = tmp_path / "shadow"
    path.write_bytes(SECRET)
    return path


@pytest.fixture(name="server")
def fixture_server():
    """An HTTP server that redirects: /to?ADDRESS to that address, /again to itself; /image is an image, /endless never ends."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path, _mark, query = self.path.partition("?")
            if path in ("/to", "/again", "/here"):
                self.send_response(302)
                self.send_header("Location", {"/to": query, "/again": "/again", "/here": "image"}[path])
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"an image")
                while path == "/endless":
                    self.wfile.write(b"more" * 65536)

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture(name="ftp")
def fixture_ftp():
    """The URL of a port that counts who connects to it, and the list of them."""
    connected = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = listening.accept()
                    connected.append(peer)
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield f"ftp://127.0.0.1:{listening.getsockname()[1]}/image", connected
        listening.shutdown(socket.SHUT_RDWR)


def refused(directory, image, plan=None):
    """Return the message of the error that ends the fetching of an image. Nothing of the image is left."""
    os.makedirs(directory, exist_ok=True)
    store = ImageStore(str(directory))
    with pytest.raises(HostError) as caught:
        store.ensure(plan or fetched_plan(image), lambda path: fetch(image, path))
    assert [name for name in os.listdir(directory) if name != ".lock"] == []
    return str(caught.value)


def at(url, **fields):
    return CatalogueImage("mine", URL, url, sha256=SUM, **fields)


def local(path, **fields):
    return CatalogueImage("mine", PATH, str(path), **{"format": "raw", "sha256": SUM, **fields})


@pytest.mark.parametrize("scheme", ["file://{}", "file:{}", "FILE://{}", "file://localhost{}", "netdoc:{}", "data:,{}", "ftp://localhost{}"])
def test_no_redirect_leads_to_anything_but_http(server, secret, tmp_path, scheme):
    message = refused(tmp_path / "cache", at(f"{server}/to?{scheme.format(secret)}"))
    assert "only http and https URLs are opened" in message and hashlib.sha256(SECRET).hexdigest() not in message


def test_a_redirect_to_ftp_is_not_followed(server, ftp, tmp_path):
    url, connected = ftp
    for address in (url, f"{server}/to?{url}"):  # also at the second step
        assert "only http and https URLs are opened" in refused(tmp_path / "cache", at(f"{server}/to?{address}"))
    assert connected == []


def test_redirects_among_http_addresses_are_followed_but_not_for_ever(server, tmp_path):
    digest = hashlib.sha256(b"an image").hexdigest()
    for path in ("/image", "/here", f"/to?{server}/image", f"/to?{server}/here"):
        assert f"has the sha256 {digest}, not {SUM}" in refused(tmp_path / "cache", at(server + path))
    assert "redirected more than 10 times" in refused(tmp_path / "cache", at(f"{server}/again"))


def test_only_regular_files_are_opened_and_nothing_waits_for_others(tmp_path):
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to("/dev/zero")
    for image, kind in ((local("/dev/zero"), "a device"), (at("file:///dev/zero"), "a device"), (local(link), "a device"), (local(fifo), "a FIFO"),
                        (local(tmp_path), "a directory"), (local("/dev/zero", sha256=""), "a device")):
        began = time.monotonic()
        assert f"is {kind}; an image is a regular file" in refused(tmp_path / "cache", image)
        assert time.monotonic() - began < 5


def test_a_site_may_name_a_file_by_its_url_and_by_a_link(tmp_path):
    content, link = tmp_path / "an image", tmp_path / "link"
    content.write_bytes(b"boot" + bytes(MIB))
    link.symlink_to(content)
    digest = hashlib.sha256(content.read_bytes()).hexdigest()
    (tmp_path / "cache").mkdir()
    for name in (f"file://{tmp_path}/an%20image", f"file:{link}", f"FILE://localhost{link}"):
        fetch(CatalogueImage("mine", URL, name, sha256=digest, format="raw"), str(tmp_path / "cache"))
        assert (tmp_path / "cache" / "disk").read_bytes() == content.read_bytes()
    assert "names a file of another machine" in refused(tmp_path / "other", at("file://elsewhere/image"))


@pytest.mark.parametrize("named", ["path", "url"])
def test_no_message_tells_the_checksum_or_the_size_of_a_local_file(secret, tmp_path, named):
    message = refused(tmp_path / "cache", local(secret) if named == "path" else at(f"file://{secret}"))
    assert f"{secret} does not have the sha256 {SUM}" in message
    assert hashlib.sha256(SECRET).hexdigest() not in message and f"{len(SECRET)}" not in message.replace(str(secret), "")


def test_a_server_that_never_ends_is_left_in_time(server, tmp_path, monkeypatch):
    monkeypatch.setattr(free_space, "MOST_BYTES", 8 * MIB)
    assert "is too much for an image" in refused(tmp_path / "cache", at(f"{server}/endless"))
    monkeypatch.setattr(free_space, "MOST_BYTES", 1 << 40)
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(free_space, "LEAST_RESERVE", free - 64 * MIB)
    began = time.monotonic()
    assert "stay free for others" in refused(tmp_path / "cache", at(f"{server}/endless"))
    assert time.monotonic() - began < 60


def packed(data, compression):
    if compression == "zst":
        return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout
    return {"": bytes, "bz2": lambda text: bz2.compress(text, 1), "xz": lzma.compress, "gz": gzip.compress}[compression](data)


def small_disk(size_mib):
    """Mount a disk of that size on /var/small, in a sandbox."""
    os.makedirs("/var/small")
    syscalls.mount("tmpfs", "/var/small", "tmpfs", 0, f"size={size_mib}m")


@sandboxed
def test_a_file_that_is_too_large_for_the_disk_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 8 * MIB)
    small_disk(32)
    (tmp_path / "image").write_bytes(bytes(25 * MIB))
    assert "image mine needs 25 MiB: /var/small has " in refused("/var/small", local(tmp_path / "image"))


@pytest.mark.parametrize("compression", ["zst", "gz", "xz"])
@sandboxed
def test_a_disk_that_unpacks_to_more_than_there_is_room_for_leaves_the_reserve(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(free_space, "LEAST_RESERVE", 8 * MIB)
    small_disk(48)
    least = []
    add = free_space.WriteLimit.add
    monkeypatch.setattr(free_space.WriteLimit, "add", lambda limit, size: least.append(shutil.disk_usage("/var/small").free) or add(limit, size))
    (tmp_path / "bomb").write_bytes(packed(b"harm" * (64 * MIB // 4), compression))
    digest = hashlib.sha256((tmp_path / "bomb").read_bytes()).hexdigest()
    message = refused("/var/small", local(tmp_path / "bomb", sha256=digest))
    assert message.startswith("image mine does not fit: /var/small has ") and message.endswith(" MiB free, of which 8 MiB stay free for others")
    assert min(least) > 2 * MIB  # a step is 4 MiB


@pytest.mark.parametrize("compression", ["zst", "gz"])
def test_zeros_that_would_be_holes_count_as_well(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(free_space, "MOST_BYTES", 256 * MIB)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(packed(bytes(64 * MIB), compression) * 1600)  # 100 GiB
    assert bomb.stat().st_size < 128 * MIB
    began = time.monotonic()
    message = refused(tmp_path / "cache", local(bomb, sha256=hashlib.sha256(bomb.read_bytes()).hexdigest()))
    assert message == "image mine has more than 0 GiB, which is too much for an image" and time.monotonic() - began < 20


def archive(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("compression", ["", "zst", "gz", "bz2", "xz"])
def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, compression):
    monkeypatch.setattr(free_space, "MOST_BYTES", 32 * MIB)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(packed(archive(("sbin/init", b"x"), ("zeros", bytes(48 * MIB))), compression))
    message = refused(tmp_path / "cache", local(bomb, form="root", sha256=hashlib.sha256(bomb.read_bytes()).hexdigest()))
    assert "is too much for an image" in message


def test_the_names_in_an_archive_take_no_memory(tmp_path):
    """A header may say that the name of the next file has gigabytes."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    path = tmp_path / "bomb"
    path.write_bytes(packed(header.tobuf(tarfile.GNU_FORMAT), "zst") + packed(b"n" * (64 * MIB), "zst") * 48 + packed(archive(("sbin/init", b"x")), "zst"))
    message = refused(tmp_path / "cache", local(path, form="root", sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    assert "is no tar archive that can be read" in message and len(message) < 500
