# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plugins are tested in a process of their own.

They need Ansible's plugin loader, and a process that has it is a controller: modules behave differently there, and collections
are imported in another way. So ``pytest`` leaves tests/unit/plugins out unless it is named: ``pytest tests/unit/plugins``.
"""

from __future__ import annotations

from pathlib import Path

PLUGINS = Path(__file__).parent / "plugins"


def pytest_ignore_collect(collection_path, config):
    """Whether a path is left out: plugins unless all that was asked for is theirs. None: no opinion."""
    asked = [Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args]
    only_plugins = all(path.is_relative_to(PLUGINS) for path in asked)
    return True if collection_path.is_relative_to(PLUGINS) and not only_plugins else None
