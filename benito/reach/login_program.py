# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become the SSH client that logs in to a node.

This is a program of its own, by which login.py replaces the command: Ansible's plugin loader, which knows how each host is reached, has to be there before
any module of a collection. It reads the host's variables from a descriptor, has the connection plugins make the client's command of them, and replaces
itself by that client.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import Any

_OPTIONS = ("-o", "ControlMaster=no", "-o", "LogLevel=ERROR")  # it may use a connection that Ansible keeps, and keeps none itself
_FAILED = 255  # as SSH says that it has no connection


class LoginError(Exception):
    """There is no login to this node, for a reason that the text has."""


def client_command(request: dict[str, Any]) -> list[bytes]:
    """Return argv of the SSH client. Raises LoginError, and errors of Ansible."""
    from ansible.playbook.play_context import PlayContext  # after the plugin loader
    from ansible.plugins.loader import connection_loader

    variables = request["variables"]
    kind = variables.get("ansible_connection") or "ssh"
    connection = connection_loader.get(kind, PlayContext())
    if connection is None:
        raise LoginError(f"the connection plugin {kind}, by which it is reached, is not installed here")
    options = [*_OPTIONS, "-t" if request["terminal"] else "-T"]
    connection.set_options(var_options=variables)
    if hasattr(connection, "enter_command"):
        inside = request["program"] or (["/bin/sh", "-c", request["text"]] if request["text"] else [])
        return connection.enter_command(options, ["--", *inside] if inside else [])
    if not hasattr(connection, "_build_command"):
        raise LoginError(f"the connection plugin {kind}, by which it is reached, has no login (benito run works)")
    connection.host = variables["ansible_host"]
    _open_by_password(connection)
    far = as_root(variables, request["text"])
    client, *rest = connection._build_command(connection.get_option("ssh_executable"), "ssh", connection.host, *([far] if far else []))
    return [client, *map(str.encode, options), *rest]


def as_root(variables: dict[str, Any], text: str) -> str:
    """Return the shell command that runs ``text`` as root, "" for a login as the user who logs in. Raises LoginError."""
    wanted = str(variables.get("ansible_become", "")).lower() in ("true", "yes", "on", "1")
    user = str(variables.get("ansible_become_user") or "root")
    if not wanted or variables.get("ansible_user") == user:
        return text
    method = str(variables.get("ansible_become_method") or "sudo").rpartition(".")[2]
    password = any(variables.get(f"ansible_{name}_pass{rest}") for name in ("become", method) for rest in ("", "word"))
    if method not in ("sudo", "doas") or password:
        raise LoginError(f"becoming {user} there takes a dialogue with {method}, which a login does not lead (benito run works)")
    return f"{method} -n -u {shlex.quote(user)} -- " + (f"/bin/sh -c {shlex.quote(text)}" if text else '"${SHELL:-/bin/sh}"')


def _open_by_password(connection: Any) -> None:
    """Open the connection that the login shares, if it takes a password: the connection plugin knows how to give it."""
    if connection.get_option("password"):
        status, _out, error = connection.exec_command("true", sudoable=False)
        if status:
            raise LoginError(error.decode(errors="replace").strip())
        connection.set_option("password_mechanism", "disable")


def main(descriptor: int) -> int:
    """Replace this process by the SSH client. Return the exit status where that fails."""
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        request = json.load(stream)
    from ansible.errors import AnsibleError
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([request["collections"]])
    try:
        argv = client_command(request)
        os.execvp(argv[0], argv)
    except (AnsibleError, LoginError, OSError) as exc:
        print(f"benito: {request['node']}: {exc}", file=sys.stderr)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
