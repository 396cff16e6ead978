# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions as Ansible runs them, on a vhost that is a directory: the connection is Ansible's own to this machine, all paths of ours lead into it."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar
from ansible_collections.deter.benito.plugins.module_utils.host.base import paths as paths_module
from ansible_collections.deter.benito.plugins.module_utils.host.delivery import node_images
from ansible_collections.deter.benito.plugins.plugin_utils import host_action


@pytest.fixture(name="vhost")
def fixture_vhost(tmp_path, monkeypatch):
    """Its root directory."""
    root = tmp_path / "vhost"
    directory, files = host_action.program_files()
    files = {name: text.replace('"/var/', f'"{root}/var/').replace('"/run/', f'"{root}/run/') for name, text in files.items()}
    monkeypatch.setattr(host_action, "program_files", lambda: (directory, files))
    monkeypatch.setattr(node_images, "IMAGES", f"{root}{node_images.IMAGES}")
    monkeypatch.setattr(paths_module, "ROOT", f"{root}{paths_module.ROOT}")
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    return root


@pytest.fixture(name="connection")
def fixture_connection():
    """To this machine; what it brings is noted in ``brought``."""
    connection = connection_loader.get("ansible.builtin.local", PlayContext(), None)
    connection.set_options(var_options={})
    connection._shell.set_options(var_options={})
    connection.brought, put_file = [], connection.put_file

    def noting(path, target):
        connection.brought.append((path, target))
        put_file(path, target)

    connection.put_file = noting
    return connection


@pytest.fixture(name="run")
def fixture_run(vhost, connection):
    """A function: a module's name and options in, the task's result out."""

    def run(module, check_mode=False, **options):
        task = Task()
        task.action, task.args, task.check_mode = f"deter.benito.{module}", options, check_mode
        loader = DataLoader()
        action = action_loader.get(task.action, task=task, connection=connection, play_context=PlayContext(), loader=loader, templar=Templar(loader),
                                   shared_loader_obj=None)
        try:
            return action.run(task_vars={"inventory_hostname": "pnode"})
        finally:
            action.cleanup()

    return run
