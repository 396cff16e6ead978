# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become the SSH client that logs in to a node, or print the commands of the SSH clients that run something on several hosts.

This is a program of its own, by which login.py replaces the command and which clients.py runs: Ansible's plugin loader, which knows how each host is
reached, has to be there before any module of a collection. It reads the hosts' variables from a descriptor, and has the connection plugins make the clients'
commands of them.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_OPTIONS = ("-o", "ControlMaster=no", "-o", "LogLevel=ERROR")  # it may use a connection that Ansible keeps, and keeps none itself
_BESIDE = 10  # connections that are opened by password at once
_ONE = threading.Lock()  # Ansible's loader of plugins is for one thread
_FAILED = 255  # as SSH says that it has no connection


class LoginError(Exception):
    """There is no login to this node, for a reason that the text has."""


def client_command(request: dict[str, Any]) -> list[bytes]:
    """Return argv of the SSH client for a login. Raises LoginError, and errors of Ansible."""
    variables = request["variables"]
    kind, connection = _connection(variables)
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


def lasting_command(variables: dict[str, Any], text: str) -> tuple[list[bytes], str, bool]:
    """Return (argv, first line of its input, whether it works once) of a client that runs ``text`` as root on a vhost, without a terminal and for long.

    Raises LoginError, and errors of Ansible.

    It shares no connection with others, so that their end is not its own, unless the connection takes a password: only the connection plugin can give it.
    """
    with _ONE:
        kind, connection = _connection(variables)
        connection.set_options(var_options=variables)
    far, line = as_root_by_password(variables, text)
    if kind.rpartition(".")[2] == "local":
        return [b"/bin/sh", b"-c", far.encode()], line, False
    if not hasattr(connection, "_build_command") or hasattr(connection, "enter_command"):
        raise LoginError(f"the connection plugin {kind}, by which it is reached, keeps no connection")
    connection.host = variables["ansible_host"]
    password = bool(connection.get_option("password"))
    _open_by_password(connection)
    client, *rest = connection._build_command(connection.get_option("ssh_executable"), "ssh", connection.host, far)
    options = [*_OPTIONS, "-T", "-o", "BatchMode=yes", *(() if password else ("-o", "ControlPath=none"))]
    return [client, *map(str.encode, options), *rest], line, password


def _connection(variables: dict[str, Any]) -> tuple[str, Any]:
    """Return (name, connection plugin) of a host. Raises LoginError."""
    from ansible.playbook.play_context import PlayContext  # after the plugin loader
    from ansible.plugins.loader import connection_loader

    kind = variables.get("ansible_connection") or "ssh"
    connection = connection_loader.get(kind, PlayContext())
    if connection is None:
        raise LoginError(f"the connection plugin {kind}, by which it is reached, is not installed here")
    return kind, connection


def as_root(variables: dict[str, Any], text: str) -> str:
    """Return the shell command that runs ``text`` as root, "" for a login as the user who logs in. Raises LoginError."""
    user, method, password = _becoming(variables)
    if not user:
        return text
    if method not in ("sudo", "doas") or password:
        raise LoginError(f"becoming {user} there takes a dialogue with {method}, which a login does not lead (benito run works)")
    return f"{method} -n -u {shlex.quote(user)} -- " + (f"/bin/sh -c {shlex.quote(text)}" if text else '"${SHELL:-/bin/sh}"')


def as_root_by_password(variables: dict[str, Any], text: str) -> tuple[str, str]:
    """Return (shell command that runs ``text`` as root, the line of input that it needs first). Raises LoginError."""
    user, method, password = _becoming(variables)
    if user and password and method == "sudo":
        return f"sudo -S -p '' -u {shlex.quote(user)} -- /bin/sh -c {shlex.quote(text)}", f"{password}\n"
    return as_root(variables, text), ""


def _becoming(variables: dict[str, Any]) -> tuple[str, str, str]:
    """Return (user to become, method, password). The user is "" where the one who logs in is as good."""
    wanted = str(variables.get("ansible_become", "")).lower() in ("true", "yes", "on", "1")
    user = str(variables.get("ansible_become_user") or "root")
    if not wanted or variables.get("ansible_user") == user:
        return "", "", ""
    method = str(variables.get("ansible_become_method") or "sudo").rpartition(".")[2]
    found = (variables.get(f"ansible_{name}_pass{rest}") for name in ("become", method) for rest in ("", "word"))
    return user, method, str(next(filter(None, found), ""))


def _open_by_password(connection: Any) -> None:
    """Open the connection that the login shares, if it takes a password: the connection plugin knows how to give it."""
    if connection.get_option("password"):
        status, _out, error = connection.exec_command("true", sudoable=False)
        if status:
            raise LoginError(error.decode(errors="replace").strip())
        connection.set_option("password_mechanism", "disable")


def print_commands(request: dict[str, Any]) -> None:
    """Print {host: what lasting_command returns, or why there is no client} as JSON."""
    from ansible.errors import AnsibleError

    def command(host: dict[str, Any]) -> Any:
        try:
            argv, *more = lasting_command(host["variables"], host["text"])
            return [[os.fsdecode(word) for word in argv], *more]
        except (AnsibleError, LoginError, OSError) as exc:
            return str(exc)

    with ThreadPoolExecutor(_BESIDE) as pool, os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)  # Ansible prints what it does with a high verbosity or for debugging
        json.dump(dict(zip(request["hosts"], pool.map(command, request["hosts"].values()))), output)


def main(descriptor: int) -> int:
    """Do what is asked for. Replaces this process by the SSH client of a login, and returns the exit status where that fails."""
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        request = json.load(stream)
    from ansible.errors import AnsibleError
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([request["collections"]])
    if "hosts" in request:
        print_commands(request)
        return 0
    try:
        argv = client_command(request)
        os.execvp(argv[0], argv)
    except (AnsibleError, LoginError, OSError) as exc:
        print(f"benito: {request['node']}: {exc}", file=sys.stderr)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
