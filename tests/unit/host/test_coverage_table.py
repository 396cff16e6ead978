# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of benito-host has a unit test in the folder of its room, or a row here: the molecule scenario that runs it, and why no unit test does."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
HOST = ROOT / "plugins/module_utils/host"
PACKAGE = "ansible_collections.deter.benito.plugins.module_utils.host"
SYSTEMD = "needs a systemd that runs as init"
CONTROL = "needs a control interface and the network manager that owns it"
GUEST = "needs a guest that boots"

SCENARIOS = {
    "base/cgroups.py": ("start_commands", "needs a cgroup subtree that systemd delegates"),
    "base/namespaces.py": ("process_containers", "tests/unit/host/process runs it too, by building nodes"),
    "base/systemctl.py": ("vhost", SYSTEMD),
    "base/watch_socket.py": ("process_containers", "tests/unit/host/watch runs it, with real clients"),
    "control_bridge/commands.py": ("control_bridge", CONTROL),
    "control_bridge/device.py": ("control_bridge", CONTROL),
    "control_bridge/link_config.py": ("control_bridge", CONTROL),
    "control_bridge/managers.py": ("control_bridge", CONTROL),
    "delivery/installer.py": ("vhost", "is a program; tests/unit/host/delivery/test_installer.py runs its text"),
    "delivery/remote_call.py": ("vhost", "is a program; tests/unit/host/delivery/test_startup.py runs its text"),
    "lxc/kind.py": ("system_containers", GUEST),
    "net/control_rules.py": ("system_containers", "tests/unit/host/net/test_control_fences.py sends frames against it"),
    "net/counters.py": ("process_containers", "tests/unit/host/run/test_reading.py runs it, with real packets"),
    "net/marks.py": ("experiment_network", "tests/unit/host/net/test_network.py and test_ports.py run it too"),
    "net/probe.py": ("experiment_network", "needs two vhosts with tunnels between them"),
    "net/ruleset.py": ("experiment_network", "tests/unit/host/net/test_fences.py sends frames against it"),
    "physical/hosts_block.py": ("embedded_pnode", "tests/unit/host/physical runs it too, by physical/kind.py"),
    "physical/links.py": ("embedded_pnode", "tests/unit/host/physical runs it too, by physical/kind.py"),
    "physical/routes.py": ("embedded_pnode", "tests/unit/host/physical runs it too, by physical/kind.py"),
    "pool/control_network.py": ("vhost", CONTROL),
    "process/files.py": ("process_containers", "tests/unit/host/process runs it too, by process/kind.py"),
    "process/network.py": ("process_containers", "tests/unit/host/process runs it too, by process/kind.py"),
    "process/nodes.py": ("process_containers", "tests/unit/host/process runs it too, by process/kind.py"),
    "qemu/acceleration.py": ("virtual_machines", "boots a kernel under KVM"),
    "qemu/disk.py": ("virtual_machines", "tests/unit/host/qemu/test_templates.py runs it too"),
    "qemu/kind.py": ("virtual_machines", GUEST),
    "qemu/pausing.py": ("virtual_machines", "needs a guest whose host has a full disk: tests/integration/faults"),
    "qemu/qmp.py": ("warm_templates", "needs a QEMU that migrates"),
    "qemu/start.py": ("virtual_machines", GUEST),
    "qemu/taps.py": ("virtual_machines", "tests/unit/host/net/test_ports.py runs it too"),
    "qemu/units.py": ("virtual_machines", SYSTEMD),
    "qemu/warm_choice.py": ("warm_templates", GUEST),
    "qemu/warm_start.py": ("warm_templates", GUEST),
    "run/enter.py": ("process_containers", "needs the experiment's unit, in whose cgroup it enters a node"),
    "run/reboot.py": ("process_containers", "tests/unit/host/process runs it too"),
    "run/status.py": ("process_containers", SYSTEMD),
    "run/supervisor.py": ("start_commands", SYSTEMD),
    "run/sysctls.py": ("experiment_network", "changes settings of the whole machine"),
    "run/unit.py": ("start_commands", SYSTEMD),
    "run/unit_file.py": ("vhost", SYSTEMD),
    "start_commands/start_command.py": ("start_commands", "needs a node's cgroup and namespaces"),
    "start_commands/starter.py": ("start_commands", "needs a supervisor that adopts what it starts"),
}


def program_files() -> set[str]:
    return {str(path.relative_to(HOST)) for path in HOST.rglob("*.py") if path.name != "__init__.py" and path.read_text().strip()}


def imported_by(test: Path) -> set[str]:
    """The files of benito-host that a test imports."""
    names = set()
    for node in ast.walk(ast.parse(test.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{entry.name}" for entry in node.names)}
        elif isinstance(node, ast.Import):
            names |= {entry.name for entry in node.names}
    return {f"{name.removeprefix(f'{PACKAGE}.').replace('.', '/')}.py" for name in names if name.startswith(PACKAGE)}


def with_unit_test() -> set[str]:
    """The files that a test in the folder of their room imports."""
    folders = {path: Path(__file__).parent / Path(path).parent for path in program_files()}
    return {path for path, folder in folders.items() if any(path in imported_by(test) for test in folder.glob("test_*.py"))}


def test_every_file_has_a_unit_test_or_a_scenario():
    assert program_files() - with_unit_test() - set(SCENARIOS) == set()


def test_no_row_is_out_of_date():
    assert set(SCENARIOS) - program_files() == set(), "these files are gone"
    assert set(SCENARIOS) & with_unit_test() == set(), "these files have a unit test now"


def test_every_scenario_of_the_table_is_there():
    scenarios = {path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml")}
    assert {scenario for scenario, _why in SCENARIOS.values()} - scenarios == set()
