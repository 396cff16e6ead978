# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A minimal inventory plugin, for comparison in benchmarks. It reads hosts and variables from a JSON file."""

from __future__ import annotations

import json

from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = r"""
name: bare
short_description: Hosts and variables from a JSON file
description: A file that ends in C(.bare.json) with an object of objects.
options: {}
"""


class InventoryModule(BaseInventoryPlugin):
    NAME = "bare"

    def verify_file(self, path):
        return path.endswith(".bare.json")

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
        for host, variables in data.items():
            self.inventory.add_host(host)
            for variable, value in variables.items():
                self.inventory.set_variable(host, variable, value)
