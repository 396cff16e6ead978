# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shlex

from ansible_collections.deter.benito.plugins.module_utils.experiment.access import reach


def test_an_emulated_node_has_longer_to_answer_than_ansible_gives_other_hosts():
    variables = reach("/home/of/exp", "192.0.2.7")
    assert variables["ansible_ssh_timeout"] == 60
    options = shlex.split(variables["ansible_ssh_common_args"])
    assert not any(option.startswith("ConnectTimeout=") for option in options), "one beside Ansible's own would have no effect"


def test_only_the_experiments_own_host_keys_are_believed():
    options = shlex.split(reach("/home/of/my exp", "192.0.2.7")["ansible_ssh_common_args"])
    assert {"UserKnownHostsFile=/home/of/my exp/known_hosts", "GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes"} <= set(options)
