# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network managers of a machine leave a testbed's bridges and ports alone while it exists."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path

from ansible_collections.deter.benito.plugins.module_utils.testbed.managers import Managers
from ansible_collections.deter.benito.plugins.module_utils.testbed.names import EXPERIMENT, identify
from ansible_collections.deter.benito.tests.unit.host.sandbox import sandboxed

IDENTITY = identify("/home/someone/.benito", "local")
DEVICES = (IDENTITY.control_bridge, IDENTITY.experiment_bridge, IDENTITY.port("local-0", EXPERIMENT))
OTHERS = ("eth0", "br0", "docker0", "btrfs0", identify("/home/another/.benito", "local").control_bridge)


@sandboxed
def test_each_manager_is_kept_off_the_bridges_and_ports_and_no_other_device():
    os.makedirs("/run/systemd/system")
    managers = Managers(IDENTITY)
    assert not managers.are_off() and managers.present() == []
    assert managers.keep_off() == []
    assert managers.are_off() and len(managers.present()) == 3
    for path, key in zip(managers.present(), ("Name=", "OriginalName=", "match-device="), strict=True):
        line = next(line for line in Path(path).read_text().splitlines() if line.startswith(key))
        patterns = line.removeprefix(key).replace("interface-name:", "").replace("=", "").replace(";", " ").split()
        assert [name for name in (*DEVICES, *OTHERS) if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)] == list(DEVICES), path


@sandboxed
def test_the_files_are_written_again_after_a_reboot_and_go_with_the_testbed():
    os.makedirs("/run/systemd/system")
    managers = Managers(IDENTITY)
    managers.keep_off()
    os.unlink(managers.present()[0])
    assert not managers.are_off()
    managers.release()
    assert managers.present() == [] and not os.path.exists("/run/NetworkManager")


@sandboxed
def test_a_machine_without_systemd_needs_no_files():
    assert Managers(IDENTITY).are_off()
