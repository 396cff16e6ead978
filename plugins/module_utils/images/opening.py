# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the files of images that others made: at an http or https URL, or on this machine, where only regular files are opened."""

from __future__ import annotations

import contextlib
import http.client
import os
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, cast

from ansible.module_utils.urls import ConnectionError as TransportError
from ansible.module_utils.urls import open_url

from ..embedding.placement.catalogue import PATH, URL, CatalogueImage
from ..errors import HostError

_TIMEOUT_S = 60
_MOST_REDIRECTS = 10
_FILE = "file"
_WEB = ("http", "https")


@dataclass(frozen=True)
class OpenedImage:
    """A file that is being fetched.

    size   in bytes, 0 for unknown
    place  where it comes from, for messages
    local  whether it is a file of this machine
    """

    stream: BinaryIO
    size: int
    place: str
    local: bool = False


def local_path(image: CatalogueImage) -> str:
    """Return the path of an image that is a file of this machine, "" for another. Raises HostError: a file: URL of another machine."""
    if image.source == PATH:
        return os.path.expanduser(image.reference)
    parts = urllib.parse.urlsplit(image.reference)
    if parts.scheme != _FILE:
        return ""
    if parts.netloc not in ("", "localhost"):
        raise HostError(f"image {image.name}: {image.reference} names a file of another machine: write file:///PATH")
    return urllib.request.url2pathname(parts.path)


@contextlib.contextmanager
def _open_path(image: CatalogueImage) -> Iterator[OpenedImage]:
    path = local_path(image)
    try:
        with open(path, "rb", opener=partial(_open_regular, image.name)) as stream:
            yield OpenedImage(stream, os.fstat(stream.fileno()).st_size, path, local=True)
    except OSError as exc:
        raise HostError(f"image {image.name}: {path} cannot be read: {exc.strerror}") from exc


def _open_regular(name: str, path: str, flags: int) -> int:
    """Open the file of the image ``name`` for ``open``. Raises HostError: no regular file; OSError."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)  # without O_NONBLOCK, opening a FIFO waits for its writer
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO"}.get(stat.S_IFMT(mode), "a device")
        raise HostError(f"image {name}: {path} is {what}; an image is a regular file")
    return descriptor


@contextlib.contextmanager
def _open_url(image: CatalogueImage) -> Iterator[OpenedImage]:
    if local_path(image):
        with _open_path(image) as opened:
            yield opened
        return
    url = image.reference
    try:
        with _follow(url) as stream:
            yield OpenedImage(cast(BinaryIO, stream), int(stream.headers.get("Content-Length") or 0), url)
    except urllib.error.HTTPError as exc:
        raise HostError(f"image {image.name}: {url} cannot be fetched: the server says {exc.code} {exc.reason}") from exc
    except (OSError, http.client.HTTPException, ValueError, TransportError) as exc:
        raise HostError(f"image {image.name}: {url} cannot be fetched: {getattr(exc, 'reason', None) or exc}") from exc


def _follow(url: str) -> Any:
    """Open a URL, and what it is redirected to. Raises ValueError: too many redirects, or another scheme than http and https; other errors of urllib."""
    for _redirect in range(_MOST_REDIRECTS):
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in _WEB:
            raise ValueError(f"it leads to {url}, and only http and https URLs are opened")
        try:
            return open_url(url, timeout=_TIMEOUT_S, follow_redirects="none")
        except urllib.error.HTTPError as exc:
            if not 300 <= exc.code < 400 or "location" not in exc.headers:
                raise
            url = urllib.parse.urljoin(url, exc.url)
            exc.close()
    raise ValueError(f"it is redirected more than {_MOST_REDIRECTS} times")


OPENERS: dict[str, Callable[[CatalogueImage], AbstractContextManager[OpenedImage]]] = {URL: _open_url, PATH: _open_path}
"""What opens the file of an image, by the kind of its source."""


def opened(image: CatalogueImage) -> AbstractContextManager[OpenedImage]:
    """Open the image's file for the block. Raises HostError."""
    return OPENERS[image.source](image)
