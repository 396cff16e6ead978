# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Debian system in a directory, made with mmdebstrap from where this machine gets its own packages, and what makes a clean copy of it."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from dataclasses import dataclass

from ..commands import run
from ..files import read_text, write_text
from . import archives


@dataclass(frozen=True)
class Origin:
    """How this machine reaches Debian's archives, for a system to be made here.

    architecture  as dpkg names it
    sources       lines of sources.list for the suite
    apt_options   lines of apt configuration
    certificates  (file name, text) of the certificate authorities that this machine trusts beside the usual ones
    """

    architecture: str
    sources: tuple
    apt_options: tuple
    certificates: tuple


def host_origin(suite: str) -> Origin:
    """The origin of a system of ``suite``, from how this machine gets its own packages."""
    sources = archives.parse_sources_list(read_text("/etc/apt/sources.list"))
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*")):
        parse = {".list": archives.parse_sources_list, ".sources": archives.parse_deb822}.get(os.path.splitext(path)[1])
        sources += parse(read_text(path)) if parse else ()
    is_debian = bool(re.search(r'^ID="?debian"?$', read_text("/etc/os-release"), re.MULTILINE))
    return Origin(
        architecture=run("dpkg", "--print-architecture").stdout.strip(),
        sources=archives.debian_lines(sources, is_debian, suite),
        apt_options=archives.kept_options(run("apt-config", "dump").stdout, os.environ),
        certificates=tuple((os.path.basename(path), read_text(path)) for path in sorted(glob.glob("/usr/local/share/ca-certificates/*.crt"))),
    )


def debootstrap(root: str, suite: str, sources, packages, apt_options, more_options=(), *, initrd: bool = False) -> None:
    """Make a system of ``suite`` in the directory ``root``. Raises HostError.

    initrd  whether a kernel among the packages gets an initial RAM disk of Debian's, which takes a quarter of the time

    mmdebstrap runs in namespaces of its own, which take everything it mounted and started with them when it is interrupted.
    """
    options = [f"--aptopt={line}" for line in apt_options]
    # what the kernel's packages run (/etc/kernel/postinst.d) asks INITRD; mmdebstrap and apt leave it in the environment
    run("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "env", f"INITRD={'Yes' if initrd else 'No'}",
        "mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + ",".join(packages), *options, *more_options,
        suite, root, *sources, seconds=1800, keep_environment=True)


def mask(root: str, units, folder: str = "system") -> None:
    """The systemd units, or with the folder ``system-generators`` the generators, are never started there."""
    os.makedirs(os.path.join(root, "etc/systemd", folder), exist_ok=True)
    for unit in units:
        path = os.path.join(root, "etc/systemd", folder, unit)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        os.symlink("/dev/null", path)


def remove_host_keys(root: str) -> None:
    """No two machines may share them."""
    for key in glob.glob(os.path.join(glob.escape(root), "etc/ssh/ssh_host_*")):
        os.unlink(key)


def trust(root: str, certificates) -> None:
    """Trust the certificate authorities, (file name, text) each, beside Debian's, which are trusted since they were installed."""
    if not certificates:
        return
    for name, text in certificates:
        write_text(os.path.join(root, "usr/local/share/ca-certificates", name), text)
    run("chroot", root, "update-ca-certificates")
