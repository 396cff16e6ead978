# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Becoming root on a machine by Ansible's become plugins: the plugin of a vhost, and what to do where a password is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.loader import become_loader

_PASSWORD_FAULT = re.compile(r"(Missing|Incorrect) (\S+) password")
_ASKED = re.compile(r"\b(\S+): (a password is required|Authentication failure)|Duplicate become password prompt")


def vhost_become(variables: Mapping[str, Any], password: str = "", otherwise: str = "") -> Any:
    """Return the become plugin by which the user of a vhost becomes root.

    variables  those of Ansible, such as ansible_become_method
    password   in place of those among the variables
    otherwise  the password of -K, which Ansible takes where no variable has one
    Raises AnsibleError when there is no such plugin.
    """
    method = variables.get("ansible_become_method") or "sudo"
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(f"there is no become plugin {method}: ansible_become_method of the machine is wrong")
    given = dict(variables)
    if password:
        given = {name: value for name, value in given.items() if not name.endswith(("_pass", "_password"))} | {"ansible_become_password": password}
    plugin.set_options(task_keys={"become_pass": otherwise} if otherwise else None, var_options=given)
    return plugin


def missing_password(error: Exception) -> str:
    """Return what to do about the password if ``error`` says that becoming root failed for want of the right one, "" for any other error."""
    found = _PASSWORD_FAULT.search(str(error))
    if found:
        how, method = found.groups()
        return _advice(method, wrong=how == "Incorrect")
    found = _ASKED.search(str(error))
    return _advice(found[1] or "sudo", wrong=not found[1]) if found else ""


def _advice(method: str, wrong: bool) -> str:
    what = f"{method} refuses the password" if wrong else f"{method} wants a password, and none was given"
    return f"{what}: give it with -K (--become-password-file FILE), or as ansible_become_password of the machine"
