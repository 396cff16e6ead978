# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of an experiment are on a vhost, how its kernel objects are marked as ours, and how files there are read, replaced and removed.

``/var/benito/exp/PID.EID/`` outlives a reboot: plan, program, logs of the nodes.
``/run/benito/exp/PID.EID/`` does not: what is built right now.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from ...errors import HostError
from ...names import is_project_name
from .os_errors import why

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from typing import Any

ROOT = "/var/benito"
RUN_ROOT = "/run/benito"
IMAGES = "/var/cache/benito/images"
PROGRAM = f"{ROOT}/bin/benito-host"
"""A link to the version of benito-host that was installed last."""
UNIT = "benito-host@{}.service"


@dataclass(frozen=True)
class ExperimentPaths:
    """The paths and marks of one experiment (``pid.eid``) on this vhost."""

    experiment: str

    @property
    def directory(self) -> str:
        return f"{ROOT}/exp/{self.experiment}"

    @property
    def plan(self) -> str:
        return f"{self.directory}/host.json"

    @property
    def program(self) -> str:
        """The version of benito-host that this experiment was swapped in with. It stays until swap-out."""
        return f"{self.directory}/benito-host"

    def node(self, name: str) -> str:
        """The folder that the node sees as /var/benito."""
        return f"{self.directory}/nodes/{name}"

    def node_hosts(self, name: str) -> str:
        """The file that the node sees as /etc/hosts and as /var/benito/hosts."""
        return f"{self.node(name)}/hosts"

    @property
    def run(self) -> str:
        return f"{RUN_ROOT}/exp/{self.experiment}"

    @property
    def registry(self) -> str:
        """The file that pins the registry, the mount namespace that pins every node's namespaces."""
        return f"{self.run}/registry"

    @property
    def changes(self) -> str:
        """The file in which the supervisor keeps since when each node has been in its state."""
        return f"{self.run}/changes"

    @property
    def unit(self) -> str:
        return UNIT.format(self.experiment)

    def node_unit(self, name: str) -> str:
        """The systemd unit of a node that has one of its own. No name contains a colon, so unit names are unique."""
        return f"benito-node-{self.experiment}:{name}.service"

    def secret(self, name: str, file: str) -> str:
        """A secret file of the node: mode 0600, in a folder with mode 0700."""
        return f"{self.directory}/secrets/{name}/{file}"

    @property
    def mark(self) -> str:
        """The beginning of the aliases of this experiment's links. Only links with it are ever removed."""
        return f"benito:{self.experiment}:"

    @property
    def group(self) -> int:
        """The link group of this experiment's links, so that one message to the kernel deletes them all."""
        return int.from_bytes(self._digest()[:4], "big") & 0x7FFFFFFF | 0x40000000

    @property
    def nft_table(self) -> str:
        return f"benito_{self._digest().hex()[:16]}"

    def _digest(self) -> bytes:
        import hashlib  # and with it OpenSSL

        return hashlib.sha256(self.experiment.encode()).digest()


def is_experiment(text: str) -> bool:
    """Return whether ``text`` is a ``pid.eid`` that may become part of a path and of a unit's name."""
    return text.count(".") == 1 and all(is_project_name(part) for part in text.split("."))


def experiments_here() -> list[str]:
    """Return every experiment that has files on this vhost, sorted."""
    found: set[str] = set()
    for root in (ROOT, RUN_ROOT):
        try:
            found.update(name for name in os.listdir(f"{root}/exp") if is_experiment(name))
        except FileNotFoundError:
            continue
    return sorted(found)


def make_run_root() -> None:
    """Make RUN_ROOT if it is missing, always with mode 0755: the root of a container passes through it, too."""
    os.makedirs(RUN_ROOT, exist_ok=True)
    if os.stat(RUN_ROOT).st_mode & 0o777 != 0o755:
        os.chmod(RUN_ROOT, 0o755)


def write_atomically(path: str, text: str, mode: int = 0o600) -> None:
    """Replace the file ``path`` by one with this text, whole or not at all. Raises HostError when the file system refuses."""
    temporary = f"{path}.new"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except (OSError, UnicodeEncodeError) as exc:
        because = why(exc, path) if isinstance(exc, OSError) else exc
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise HostError(f"cannot write {path}: {because}") from exc


def remove_file(path: str) -> None:
    """Remove a file, if it is there. Raises OSError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_empty(directory: str, stop: str = "") -> None:
    """Remove a directory if it is empty, then its parents below ``stop`` as far as they are."""
    while directory != stop and directory.startswith(stop):
        try:
            os.rmdir(directory)
        except OSError:
            return
        if not stop:
            return
        directory = os.path.dirname(directory)


def read_json(path: str, default: dict | None = None) -> Any:
    """Return the JSON object in ``path``, or ``default`` when there is no such file. Raises HostError when the file is damaged."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return default
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{path} is damaged: {exc}") from exc
    if not isinstance(found, dict):
        raise HostError(f"{path} is damaged: it does not hold a JSON object")
    return found
