# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a disk packed by xz, a tree packed by gzip, and a catalogue of both, as a site would fetch them. Argument: a folder."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import pathlib
import random
import sys
import tarfile

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
disk = random.Random("disk").randbytes(1 << 20) + bytes(1 << 20)
(folder / "disk.raw.xz").write_bytes(lzma.compress(disk))
with tarfile.open(folder / "tree.tar.gz", "w:gz") as tree:
    for name, content in (("sbin/init", b"#!/bin/sh\n"), ("etc/motd", random.Random("tree").randbytes(1 << 19))):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o755
        tree.addfile(entry, io.BytesIO(content))


def entry_of(name: str, **fields) -> dict:
    path = folder / name
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **fields}


catalogue = {"small-disk": entry_of("disk.raw.xz", format="raw", cloud_init=False), "small-tree": entry_of("tree.tar.gz", form="root")}
(folder / "catalogue.json").write_text(json.dumps(catalogue))
(folder / "disk.sha256").write_text(hashlib.sha256(disk).hexdigest())
