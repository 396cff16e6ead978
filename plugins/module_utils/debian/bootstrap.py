# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a Debian system in a directory with mmdebstrap, from the archives that this machine uses, and remove its identity."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shlex
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..commands import run
from ..files import read_text, write_text
from . import archives


@dataclass(frozen=True)
class Origin:
    """How a system made here reaches Debian's archives.

    architecture  as dpkg names it
    sources       lines of sources.list for the suite
    apt_options   lines of apt configuration
    certificates  (file name, text) of the certificate authorities that this machine trusts beside the usual ones
    """

    architecture: str
    sources: tuple[str, ...]
    apt_options: tuple[str, ...]
    certificates: tuple[tuple[str, str], ...]


def host_origin(suite: str) -> Origin:
    """Return the origin of a system of ``suite``: the archives, proxies and certificates that this machine uses itself, without credentials."""
    return Origin(
        architecture=run("dpkg", "--print-architecture").stdout.strip(),
        sources=archives.debian_lines(_sources(), _is_debian(), suite),
        apt_options=archives.kept_options(run("apt-config", "dump").stdout, os.environ),
        certificates=tuple((os.path.basename(path), read_text(path)) for path in sorted(glob.glob("/usr/local/share/ca-certificates/*.crt"))),
    )


def _sources() -> tuple[archives.Source, ...]:
    sources = archives.parse_sources_list(read_text("/etc/apt/sources.list"))
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*")):
        parse = {".list": archives.parse_sources_list, ".sources": archives.parse_deb822}.get(os.path.splitext(path)[1])
        sources += parse(read_text(path)) if parse else ()
    return sources


def _is_debian() -> bool:
    return bool(re.search(r'^ID="?debian"?$', read_text("/etc/os-release"), re.MULTILINE))


def credentials() -> dict[str, str]:
    """Return {path in a system: text} of what apt needs only while it makes the system: what this machine's apt knows of credentials."""
    logins = [read_text(path) for path in ("/etc/apt/auth.conf", *sorted(glob.glob("/etc/apt/auth.conf.d/*.conf")))]
    texts = {
        "etc/apt/apt.conf.d/98benito-build": archives.build_options(run("apt-config", "dump").stdout, os.environ),
        "etc/apt/auth.conf.d/98benito-build.conf": (*(text for text in logins if text.strip()), *archives.build_logins(_sources(), _is_debian())),
    }
    return {path: "\n".join(lines) + "\n" for path, lines in texts.items() if lines}


@contextlib.contextmanager
def _while_built(root: str, files: dict[str, str]) -> Iterator[list[str]]:
    """Provide options of mmdebstrap that put ``files`` into the system before anything is fetched. Remove the files after the block."""
    with tempfile.TemporaryDirectory(prefix="benito-build-") as directory:  # nobody else can enter it
        options = []
        for number, (path, text) in enumerate(files.items()):
            write_text(os.path.join(directory, str(number)), text, 0o600)
            options.append(f'--setup-hook=install -D -m 0600 {shlex.quote(os.path.join(directory, str(number)))} "$1"/{path}')
        try:
            yield options
        finally:
            for path in files:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(os.path.join(root, path))


def debootstrap(root: str, suite: str, sources: Iterable[str], packages: Iterable[str], apt_options: Iterable[str], more_options: Iterable[str] = (), *,
                initrd: bool = False) -> None:
    """Make a system of ``suite`` in the directory ``root``. Raises HostError.

    initrd  whether a kernel among the packages gets Debian's initial RAM disk, which takes a quarter of the time

    Credentials of this machine's apt serve while the packages are fetched, and are not in the system afterwards.
    mmdebstrap runs in namespaces of its own: when it is interrupted, all that it mounted and started ends with them.
    """
    options = [f"--aptopt={line}" for line in apt_options]
    with _while_built(root, credentials()) as hooks:
        # what the kernel's packages run (/etc/kernel/postinst.d) asks INITRD; mmdebstrap and apt leave it in the environment
        run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "env", f"INITRD={'Yes' if initrd else 'No'}",
            "mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + ",".join(packages), *options, *hooks, *more_options,
            suite, root, *sources, seconds=1800, keep_environment=True)


def mask(root: str, units: Iterable[str], folder: str = "system") -> None:
    """Mask systemd units, or with the folder ``system-generators`` generators, so that they never start."""
    os.makedirs(os.path.join(root, "etc/systemd", folder), exist_ok=True)
    for unit in units:
        path = os.path.join(root, "etc/systemd", folder, unit)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.symlink("/dev/null", path)


def remove_host_keys(root: str) -> None:
    """Remove the host keys of SSH, which no two machines may share."""
    for key in glob.glob(os.path.join(glob.escape(root), "etc/ssh/ssh_host_*")):
        os.unlink(key)


def trust(root: str, certificates: Sequence[tuple[str, str]]) -> None:
    """Trust certificate authorities, (file name, text) each, beside Debian's, which the system trusts already."""
    if not certificates:
        return
    for name, text in certificates:
        write_text(os.path.join(root, "usr/local/share/ca-certificates", name), text)
    run("chroot", root, "update-ca-certificates")
