# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the collection deter.benito on Python's import path."""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "ansible_collections.deter.benito"
_PART_OF_IT = f"{PACKAGE}.plugins.module_utils.errors"


class CollectionMissing(ImportError):
    """The collection deter.benito is not installed where this Python or Ansible looks for it."""


def make_importable() -> Path:
    """Make ``ansible_collections.deter.benito`` importable and return the collection's folder.

    It is the checkout or the installed collection that this package lies in, else the one on Ansible's collection paths.
    Raises CollectionMissing if there is none.
    """
    for root in _roots():
        if (root / PACKAGE.replace(".", "/") / "plugins" / "module_utils" / "errors.py").is_file():
            _import_from(root)
            return root / PACKAGE.replace(".", "/")
    raise CollectionMissing(
        "the collection deter.benito is not installed where Ansible looks for it: install it by ansible-galaxy collection install, "
        "or name its folder in ANSIBLE_COLLECTIONS_PATH"
    )


def _roots() -> list[Path]:
    """Return the folders that may hold ansible_collections, the best first."""
    here = Path(__file__).resolve().parents[1]
    if here.parts[-3:] == tuple(PACKAGE.split(".")):
        return [here.parents[2]]
    checkout = here / ".ansible" / "collections"
    return [checkout] if checkout.is_dir() else _ansible_paths()


def _ansible_paths() -> list[Path]:
    """Return the folders that may hold ansible_collections for Ansible: those of its configuration, then Python's own."""
    from ansible import constants  # it takes a quarter of a second

    return [Path(os.path.expanduser(path)) for path in [*constants.COLLECTIONS_PATHS, *sys.path] if path]


def _import_from(root: Path) -> None:
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    package = importlib.import_module("ansible_collections")
    folder = str(root / "ansible_collections")
    if folder not in list(package.__path__):  # the PyPI package ansible has a regular package of this name
        package.__path__ = [folder, *package.__path__]
    if find_spec(_PART_OF_IT) is None:
        raise CollectionMissing(f"{folder} has no usable collection deter.benito")


def version() -> str:
    """Return the version of the collection."""
    text = make_importable().joinpath("galaxy.yml")
    manifest = make_importable().joinpath("MANIFEST.json")  # an installed collection has no galaxy.yml
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return next(line.partition(":")[2].strip() for line in text.read_text(encoding="utf-8").splitlines() if line.startswith("version:"))
