# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's plugin loader, before anything imports the collection."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader([str(Path(__file__).parents[3] / ".ansible" / "collections")])
