# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a vhost needs around an experiment: directories, program, plan, secrets, unit. The last experiment's removal removes what is shared."""

from __future__ import annotations

import os

from ...errors import HostError
from ..base.locks import machine_lock
from ..base.paths import PROGRAM, ROOT, ExperimentPaths, experiments_here, remove_empty, write_atomically
from ..base.systemctl import systemctl

UNIT_FILE = "/etc/systemd/system/benito-host@.service"
COMMAND = "/usr/local/sbin/benito-host"
COMPATIBLE = "/var/containers"  # the original's name of /var/benito
_VERSION = "[0-9a-f]" * 16  # the name of a version of benito-host, see archive.py
_REMOVED = ".old-"  # a version that is being removed
_UNIT = """\
# Made by deter.benito, removed with the last experiment on this host.
[Unit]
Description=Benito experiment %i
Documentation=https://github.com/deter-project/deter.benito
After=network.target nftables.service

[Service]
Type=notify
NotifyAccess=main
Slice=system.slice
ExecStart=/var/benito/exp/%i/benito-host supervise -e %i
ExecReload=/bin/kill -HUP $MAINPID
Delegate=yes
KillMode=control-group
TimeoutStartSec=600
TimeoutStopSec=20
Restart=on-failure
RestartSec=2
LimitNOFILE=65536
TasksMax=infinity
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
"""


def install(paths: ExperimentPaths, program: str, plan: str | None, dry_run: bool = False) -> list[str]:
    """Install the directories, program, plan and unit of an experiment. Return the changes as text. Raises HostError.

    program  path of the installed, content-addressed benito-host
    plan     JSON of the HostPlan, or None to keep the present one
    """
    changes = []
    if not os.path.isdir(paths.directory):
        changes.append(f"{paths.directory}: made")
        if not dry_run:
            os.makedirs(f"{ROOT}/exp", mode=0o755, exist_ok=True)
            os.mkdir(paths.directory, 0o700)
    own = os.path.realpath(paths.program) if _runs(paths) else program
    for path, target in ((paths.program, own), (PROGRAM, program), (COMMAND, PROGRAM), (COMPATIBLE, ROOT)):
        changes += _link(path, target, dry_run)
    if plan is not None and _text(paths.plan) != plan:
        changes.append(f"{paths.plan}: written")
        if not dry_run:
            write_atomically(paths.plan, plan)
    if _text(UNIT_FILE) != _UNIT:
        changes.append(f"{UNIT_FILE}: written")
        if not dry_run:
            write_atomically(UNIT_FILE, _UNIT, 0o644)
            systemctl("daemon-reload")
    return changes


def install_secrets(paths: ExperimentPaths, secrets: dict[str, dict[str, str]], dry_run: bool = False) -> list[str]:
    """Write the nodes' secrets, {node: {file: text}}, and remove all others. Only root can read them. Return the changes as text. Raises HostError."""
    top = os.path.dirname(os.path.dirname(paths.secret("node", "file")))
    wanted = {paths.secret(node, name): text for node, files in secrets.items() for name, text in files.items()}
    wrong = [path for path in wanted if os.path.normpath(path) != path or os.path.dirname(os.path.dirname(path)) != top]
    if wrong:
        raise HostError(f"{wrong[0]} is not a valid path of a node's secret")
    present = [os.path.join(folder, name) for folder, _folders, names in os.walk(top) for name in names]
    changes = []
    for path in present:
        if path not in wanted:
            changes.append(f"{path}: removed")
            if not dry_run:
                os.unlink(path)
    for path, text in wanted.items():
        if _text(path) != text:
            changes.append(f"{path}: written")
            if not dry_run:
                for folder in (top, os.path.dirname(path)):
                    os.makedirs(folder, mode=0o700, exist_ok=True)
                write_atomically(path, text)
    return changes


def _runs(paths: ExperimentPaths) -> bool:
    """Return whether the experiment runs, and so keeps its version of the program."""
    return os.path.exists(paths.program) and systemctl("is-active", "--quiet", paths.unit, check=False).returncode == 0


def remove_if_last(paths: ExperimentPaths) -> list[str]:
    """Remove what the experiments of a vhost share, if no other is left. A vhost that is itself a node keeps its own files, see guest/files.py."""
    with machine_lock():
        import glob
        import shutil

        from ..qemu.acceleration import forget_acceleration  # before this program's files are removed

        if [name for name in experiments_here() if name != paths.experiment]:
            return []
        changes, is_node = [], os.path.exists(f"{ROOT}/lib/boot")
        for path in (COMMAND,) if is_node else (COMMAND, COMPATIBLE):
            if os.path.islink(path) and os.readlink(path).startswith(ROOT):
                os.unlink(path)
                changes.append(f"{path}: removed")
        if os.path.exists(UNIT_FILE):
            os.unlink(UNIT_FILE)
            systemctl("daemon-reload")
            changes.append(f"{UNIT_FILE}: removed")
        for path in glob.glob(f"{ROOT}/lib/{_VERSION}"):  # renamed first, so that an interruption leaves no half of a program under its name
            os.rename(path, f"{ROOT}/lib/{_REMOVED}{os.path.basename(path)}-{os.getpid()}")
        for path in (*glob.glob(f"{ROOT}/lib/{_REMOVED}*"), *glob.glob(f"{ROOT}/lib/.new-*"), f"{ROOT}/bin"):
            shutil.rmtree(path, ignore_errors=True)
        forget_acceleration()
        for path in (f"{ROOT}/sysctls.json", f"{ROOT}/exp", f"{ROOT}/lib", ROOT):
            remove_empty(path)
        return changes


def _link(path: str, target: str, dry_run: bool) -> list[str]:
    if os.path.islink(path) and os.readlink(path) == target:
        return []
    if os.path.lexists(path) and not (os.path.islink(path) and os.readlink(path).startswith(ROOT)):
        raise HostError(f"{path} exists on this host and does not belong to deter.benito: remove or rename it")
    if not dry_run:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.new"
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, path)
    return [f"{path}: points to {target}"]


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
