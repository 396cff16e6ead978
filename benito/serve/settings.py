# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the service: $BENITO_HOME/grandstand.yml, and options of the command that go before it. docs/service.md lists them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.errors import InputError, Problem

FILE = "grandstand.yml"
PORT = 8460
_HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class ServiceSettings:
    """What the user decides about the service.

    port           of HTTP on 127.0.0.1
    line_rpc       (address, port) on which the line RPC listens beside its socket, None for nowhere
    hosts          names by which HTTP is called, beside 127.0.0.1 and localhost: those of a proxy in front of it
    notify_command shell command that is run when an experiment was swapped in, or could not be; "" for none
    notify_url     address that is told by POST, likewise
    """

    port: int = PORT
    line_rpc: tuple[str, int] | None = None
    hosts: tuple[str, ...] = ()
    notify_command: str = ""
    notify_url: str = ""

    @property
    def all_hosts(self) -> list[str]:
        return [*_HOSTS, *self.hosts]


def read_settings(home: str, **options: Any) -> ServiceSettings:
    """Return the settings of the file below BENITO_HOME, and of options that are not None. Raises InputError with every fault."""
    path = Path(home, FILE)
    found = _read(path)
    problems: list[Problem] = []
    given: dict[str, Any] = {}
    for source, values in ((str(path), found), ("", {name: value for name, value in options.items() if value is not None})):
        for name, value in values.items():
            reader = _READERS.get(name)
            if reader is None:
                problems.append(Problem(f"{name!r} is no setting of the service", source, hint=f"one of {', '.join(_READERS)}"))
                continue
            try:
                given[name] = reader(value)
            except (ValueError, TypeError) as exc:
                problems.append(Problem(f"is not right: {exc}", source, element=name))
    if problems:
        raise InputError(problems)
    return ServiceSettings(**given)


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(Problem(f"cannot be read: {exc}", str(path))) from exc
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        line = exc.problem_mark.line + 1 if isinstance(exc, yaml.MarkedYAMLError) and exc.problem_mark else 0
        raise InputError(Problem("is not YAML", str(path), line)) from exc
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise InputError(Problem("has no settings", str(path), hint="NAME: VALUE on each line"))
    return {str(name): value for name, value in found.items()}


def _port(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"{value!r} is no port; write a number from 1 to 65535")
    return int(value)


def _address(value: Any) -> tuple[str, int]:
    host, colon, port = str(value).rpartition(":")
    if not colon:
        raise ValueError(f"{value!r} is no address; write ADDRESS:PORT")
    return str(ipaddress.ip_address(host.strip("[]"))), _port(port)


def _hosts_of(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(host, str) and host and host.isascii() and not set(host) & set(" /:*\t\n") for host in value):
        raise ValueError("write a list of host names, without ports and wildcards")
    return tuple(host.lower() for host in value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("write a text")
    return value


def _url(value: Any) -> str:
    if not _text(value).startswith(("http://", "https://")):
        raise ValueError(f"{value!r} is no address; write http://… or https://…")
    return str(value)


_READERS = {"port": _port, "line_rpc": _address, "hosts": _hosts_of, "notify_command": _text, "notify_url": _url}
assert set(_READERS) == {one.name for one in fields(ServiceSettings)}
