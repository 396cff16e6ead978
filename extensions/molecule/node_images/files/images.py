# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that the images of an experiment are complete on the pnode, then damage one. Run on the pnode by shared/tasks/script.yml.

Arguments: SHA-256 of the unpacked disk; the damage: ``nothing``, ``bits``, ``end``, ``half``.
"""

import hashlib
import json
import os
import shutil
import sys

from node import EXPERIMENT, PLAN, benito

ROOT = "/var/cache/benito/images"
images = {image["name"]: f"{ROOT}/{image['digest']}" for image in PLAN["images"]}
disk, tree = images["small-disk"], images["small-tree"]


def sha256(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


# the images are complete and unchanged; only root can read them; no unfinished image lies beside them
assert sorted(os.listdir(ROOT)) == sorted(image["digest"] for image in PLAN["images"]), os.listdir(ROOT)
for folder in images.values():
    note = json.load(open(f"{folder}/image.json", encoding="utf-8"))
    assert {name: sha256(f"{folder}/{name}") for name in note["files"]} == {name: file["sha256"] for name, file in note["files"].items()}
    assert {*note["files"], "image.json"} <= set(os.listdir(folder)) and os.stat(folder).st_mode & 0o777 == 0o700
    assert all(os.stat(f"{folder}/{name}").st_mode & 0o777 == 0o600 for name in os.listdir(folder))
assert sha256(f"{disk}/disk") == sys.argv[2] and os.listdir(tree).count("root.tar.zst") == 1
assert benito("list")["experiments"] == [EXPERIMENT]

damage = sys.argv[3]
if damage == "bits":  # as a failing disk does: the file's times stay
    times = os.stat(f"{disk}/disk")
    with open(f"{disk}/disk", "r+b") as stream:
        stream.seek(12345)
        byte = stream.read(1)
        stream.seek(12345)
        stream.write(bytes([byte[0] ^ 1]))
    os.utime(f"{disk}/disk", ns=(times.st_atime_ns, times.st_mtime_ns))
elif damage == "end":
    os.truncate(f"{tree}/root.tar.zst", 1000)
elif damage == "half":  # as an interrupted copy leaves it
    arriving = f"{ROOT}/.arriving-{os.path.basename(disk)}-{EXPERIMENT}"
    shutil.move(disk, arriving)
    os.unlink(f"{arriving}/image.json")
    os.truncate(f"{arriving}/disk", 1000)
