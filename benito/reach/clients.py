# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SSH clients that run a command on vhosts for long: their command lines, made by Ansible's connection plugins."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_text
from ansible_collections.deter.benito.plugins.module_utils.errors import ExperimentError

from ..collection import make_importable
from ..errors import HostError
from ..runs import environment
from .login import PROGRAM, readable
from .members import Members

_LIMIT_S = 60.0


@dataclass(frozen=True)
class Client:
    """The command line of an SSH client.

    line  what it has to get on its standard input first: the password of sudo and a newline, or ""
    once  whether it works only once, because it uses a connection that was opened for it
    """

    argv: tuple[str, ...]
    line: str = field(default="", repr=False)
    once: bool = False


async def client_commands(members: Members, texts: Mapping[str, str]) -> dict[str, Client | str]:
    """Return {vhost: its client, or why there is none}.

    texts  {vhost: what its shell runs, as root}

    Connections that take a password are opened. Raises HostError when Ansible itself fails.
    """
    found: dict[str, Client | str] = {}
    hosts = {}
    for vhost, text in texts.items():
        try:
            hosts[vhost] = {"variables": members.connection(vhost), "text": text}
        except ExperimentError as exc:
            found[vhost] = str(exc)
    if not hosts:
        return found
    descriptor = readable({"collections": str(make_importable().parents[2]), "hosts": hosts})
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(PROGRAM), str(descriptor), pass_fds=(descriptor,), env=environment(members.directory.home), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    finally:
        os.close(descriptor)
    try:
        async with asyncio.timeout(_LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        raise HostError(f"Ansible's connection plugins have not told within {_LIMIT_S:.0f} s how the vhosts are reached") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with the SSH clients that it has started
        let_go(process)
    if process.returncode:
        said = clean_text(err.decode(errors="replace")).strip().splitlines() or ["no message"]
        raise HostError(f"Ansible's connection plugins cannot tell how the vhosts are reached: {said[-1]}")
    for vhost, told in json.loads(out).items():
        found[vhost] = told if isinstance(told, str) else Client(tuple(told[0]), *told[1:])
    return found


def let_go(process: asyncio.subprocess.Process) -> None:
    """Close the pipes of a process of which nobody reads any more. It is killed if it still runs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # sudo is root's, and ends because nobody reads it
        process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way
