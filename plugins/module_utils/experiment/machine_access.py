# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the machines of an experiment are reached: where their passwords are kept, and how process vnodes are reached through them.

Ansible's inventory reads this file at every run, so it imports little.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ..errors import ExperimentError
from .directory import ExperimentDirectory

SECRETS = "secrets/machines.json"
"""The passwords of the lent machines: {vhost: {connection variable: secret}}. allocation.json has everything else."""

_ROOT_TMP = "/root/.ansible/tmp"
_BECOME = re.compile(r"ansible_(become|sudo|su|doas)_[a-z_]+")
_NOT_FOR_VNODES = re.compile(r"ansible_(connection|become$|shell_(type|executable))")


def machine_secrets(directory: ExperimentDirectory) -> dict[str, dict[str, Any]]:
    """Return {vhost: {connection variable: secret}} of the lent machines, {} for none. Raises ExperimentError."""
    if not os.path.exists(directory.file(SECRETS)):
        return {}
    return secrets_from_json(directory.read(SECRETS), directory.file(SECRETS))


def secrets_from_json(text: str, source: str) -> dict[str, dict[str, Any]]:
    """Read the JSON of SECRETS. Raises ExperimentError when it is anything else."""
    try:
        found = {vhost: dict(variables) for vhost, variables in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as exc:
        raise ExperimentError(f"{source} is broken: it does not say how machines are reached") from exc
    return found


def secrets_to_json(secrets: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of SECRETS."""
    return json.dumps({vhost: dict(sorted(variables.items())) for vhost, variables in secrets.items() if variables}, indent=1) + "\n"


def through_vhost(vhost: Mapping[str, Any]) -> dict[str, Any]:
    """Return the connection variables of a process on a vhost, from those of the vhost.

    The process is root in its own right. What makes the user root on the vhost is for the connection plugin ``process``.
    """
    become = {name: value for name, value in vhost.items() if _BECOME.fullmatch(name)}
    through = {name: value for name, value in vhost.items()
               if name.startswith("ansible_") and name not in become and not _NOT_FOR_VNODES.match(name)}
    through["ansible_connection"] = "deter.benito.process"
    if "ansible_connection" in vhost:
        through["benito_vhost_connection"] = vhost["ansible_connection"]
    if _becomes_another(vhost):
        through["benito_vhost_become"] = True
        through.setdefault("ansible_remote_tmp", _ROOT_TMP)  # in the home of the user who logs in, root's files would shut that user out
        if become:
            through["benito_vhost_become_variables"] = become
    return through


def _becomes_another(vhost: Mapping[str, Any]) -> bool:
    """Return whether the user who logs in to the vhost has to become another one. Ansible lets root be."""
    wanted = str(vhost.get("ansible_become", "")).lower() in ("true", "yes", "on", "1")
    return wanted and vhost.get("ansible_user") != vhost.get("ansible_become_user", "root")
