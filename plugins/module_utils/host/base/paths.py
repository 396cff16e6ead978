# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
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
        """The benito-host this experiment was swapped in with, kept until it is swapped out."""
        return f"{self.directory}/benito-host"

    def node(self, name: str) -> str:
        """What the node sees as /var/benito."""
        return f"{self.directory}/nodes/{name}"

    def node_hosts(self, name: str) -> str:
        """What the node sees as /etc/hosts, and as /var/benito/hosts."""
        return f"{self.node(name)}/hosts"

    @property
    def run(self) -> str:
        return f"{RUN_ROOT}/exp/{self.experiment}"

    @property
    def registry(self) -> str:
        """Pins the mount namespace that in turn pins every node's namespaces."""
        return f"{self.run}/registry"

    @property
    def unit(self) -> str:
        return UNIT.format(self.experiment)

    def node_unit(self, name: str) -> str:
        """The systemd unit of a node that has one of its own. A colon stands in no name, so no two nodes have the same."""
        return f"benito-node-{self.experiment}:{name}.service"

    def secret(self, name: str, file: str) -> str:
        """A file of the node's that nobody else may read, 0600 in a 0700 folder."""
        return f"{self.directory}/secrets/{name}/{file}"

    @property
    def mark(self) -> str:
        """Aliases of this experiment's links begin so; nothing else is ever removed."""
        return f"benito:{self.experiment}:"

    @property
    def group(self) -> int:
        """The link group of this experiment's ports, so that the kernel can delete them at one stroke."""
        return int.from_bytes(self._digest()[:4], "big") & 0x7FFFFFFF | 0x40000000

    @property
    def nft_table(self) -> str:
        return f"benito_{self._digest().hex()[:16]}"

    def _digest(self) -> bytes:
        import hashlib  # and with it OpenSSL

        return hashlib.sha256(self.experiment.encode()).digest()


def is_experiment(text: str) -> bool:
    """Whether ``text`` is a ``pid.eid`` that may become a path and a unit."""
    return text.count(".") == 1 and all(is_project_name(part) for part in text.split("."))


def experiments_here() -> list[str]:
    """Every experiment that has something on this vhost, sorted."""
    found: set[str] = set()
    for root in (ROOT, RUN_ROOT):
        try:
            found.update(name for name in os.listdir(f"{root}/exp") if is_experiment(name))
        except FileNotFoundError:
            continue
    return sorted(found)


def make_run_root() -> None:
    """Have RUN_ROOT, through which also the root of a container gets to what is bound into it, whoever needs it first."""
    os.makedirs(RUN_ROOT, exist_ok=True)
    if os.stat(RUN_ROOT).st_mode & 0o777 != 0o755:
        os.chmod(RUN_ROOT, 0o755)


def write_atomically(path: str, text: str, mode: int = 0o600) -> None:
    """Replace ``path`` whole or not at all. Raises HostError when the file system refuses."""
    temporary = f"{path}.new"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except (OSError, UnicodeEncodeError) as exc:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise HostError(f"cannot write {path}: {getattr(exc, 'strerror', None) or exc}") from exc


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
    """The JSON object in ``path``, or ``default`` when there is no such file. Raises HostError when it is damaged."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except FileNotFoundError:
        return default
    except (ValueError, RecursionError) as exc:
        raise HostError(f"{path} is damaged: {exc}") from exc
    if not isinstance(found, dict):
        raise HostError(f"{path} is damaged: no object is in it")
    return found
