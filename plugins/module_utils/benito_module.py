# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Ansible module that refuses options with a NUL character.

No name, path or URL can hold one. The C functions behind Python's either end a text there or raise an error of their own. Ansible
logs all options before a module's own code runs: since Python 3.13, syslog refuses them, and the module ends with a message about logging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class BenitoModule(AnsibleModule):
    """A module that ends with one message about every option that holds a NUL character."""

    def __init__(self, argument_spec: dict[str, dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(argument_spec=argument_spec, **kwargs)
        self.refuse_nul_characters()

    def refuse_nul_characters(self) -> None:
        """End the module if an option holds a NUL character."""
        names = [name for name, value in self.params.items() if any("\0" in text for text in _texts(value))]
        if names:
            self.fail_json(msg="\n".join(f"{name}: holds a NUL character (a text without one)" for name in names))

    def log(self, msg: str | bytes, log_args: Mapping[str, Any] | None = None) -> None:
        """Log a message, with NUL characters escaped."""
        super().log(msg.replace(b"\0", b"\\0") if isinstance(msg, bytes) else msg.replace("\0", "\\0"), log_args)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts of an option, also those inside lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)
