# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command reads what it needs and no more, from files as from texts that were carried there."""

from __future__ import annotations

import importlib
import json
import subprocess

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import program_files, remote_call
from ansible_collections.deter.benito.plugins.module_utils.host.run import kinds
from ansible_collections.deter.benito.plugins.module_utils.hostplan import to_json
from ansible_collections.deter.benito.tests.unit.host.plans import LOCAL, plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

KINDS = {"process.kind", "physical.kind", "lxc.kind", "qemu.kind"}
HEAVY = {"importlib.abc", "tempfile", "traceback", "shutil", "hashlib", "uuid", "concurrent.futures", "tarfile", "ipaddress"}
ASK = """
import atexit, sys
atexit.register(lambda: print(*sorted(name for name in sys.modules), file=sys.stderr))
"""


@pytest.fixture(name="program", scope="module")
def fixture_program(tmp_path_factory):
    """benito-host in a folder, which tells at its end what it has read."""
    folder = tmp_path_factory.mktemp("program")
    directory, files = program_files()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if name != "benito-host" else text.replace("import sys\n", ASK, 1).replace(directory, str(folder)))
    (folder / "benito-host").chmod(0o755)
    return folder / "benito-host"


def read_by(program, *arguments, given: str = "") -> tuple[set[str], set[str]]:
    """(our modules, others) that a command has read at its end."""
    done = subprocess.run([program, *arguments, "--json"], input=given, capture_output=True, text=True, check=False)
    assert isinstance(json.loads(done.stdout), dict)
    names = set(done.stderr.split())
    return {name.removeprefix("benito_host.").removeprefix("host.") for name in names if name.startswith("benito")}, names


def test_to_list_experiments_takes_next_to_nothing(program):
    ours, others = read_by(program, "list")
    assert ours == {"benito_host", "host", "cli", "base", "base.os_errors", "base.paths", "base.text_files", "clean_text", "errors", "names"}
    assert not others & (HEAVY | {"subprocess", "socket"})


@pytest.mark.parametrize(("arguments", "kinds"), [
    (["apply", "--part", "network"], set()), (["apply", "--part", "processes"], {"process.kind"}), (["status"], {"process.kind"}), (["probe"], set()),
    (["start-commands", "--check"], {"process.kind"}), (["apply", "--part", "machines"], {"qemu.kind"}), (["down"], KINDS),
    (["counters"], {"process.kind"}), (["console", "a"], {"process.kind"}), (["watch", "-e", "No.such"], set()),
])
def test_of_the_kinds_of_nodes_only_those_are_read_that_a_command_is_about(program, arguments, kinds):
    @sandboxed
    def body():
        subprocess.run(["ip", "address", "add", LOCAL, "dev", "lo"], check=True)  # the tunnel's, for which a command would wait
        install_plan(plan())
        ours, others = read_by(program, *arguments)
        assert ours & KINDS == kinds
        assert "qemu.kind" in kinds or not others & (HEAVY - {"hashlib"})

    body()


def test_the_supervisor_with_its_watch_reads_no_kind_of_nodes_before_it_looks(program):
    text = f"import sys; sys.path.insert(0, {str(program.parent)!r}); import benito_host.host.run.supervisor; print(*sys.modules)"
    done = subprocess.run(["python3", "-IS", "-c", text], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert "benito_host.host.watch.node_watch" in names and not names & (HEAVY | {f"benito_host.host.{kind}" for kind in KINDS})


def test_installing_reads_no_kind_of_nodes_and_no_network(program):
    @sandboxed
    def body():
        ours, others = read_by(program, "install", "-e", "Proj.exp", "--check", given=json.dumps({"plan": to_json(plan()), "secrets": {}}))
        assert "run.setup" in ours and not ours & {*KINDS, "net.netlink", "net.substrates"} and not others & (HEAVY - {"shutil"})

    body()


def test_what_the_table_of_kinds_names_is_there():
    named = [function.args for part in kinds.KIND_PARTS for function in (part.apply, part.remove, part.status, part.reboot, part.texts, part.signs) if function]
    assert all(callable(getattr(importlib.import_module(f"{kinds.__package__.rpartition('.')[0]}.{module}"), name)) for module, name in named)
    assert {module for module, _name in named} == KINDS


@sandboxed
def test_what_was_carried_reads_the_kinds_too_when_they_are_used():
    install_plan(plan())
    given = json.dumps({"files": program_files()[1], "module": "benito_host.host.run.apply", "options": {"experiment": "Proj.exp"}})
    done = subprocess.run(["python3", "-IS", "-c", remote_call()], input=given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["changed"] and done.stderr == ""


def lease(state: str) -> dict:
    options = {"state": state, "experiment": "Proj.exp", "owner": "one", "shared": False, "processes": True, "memory_mb": 0, "memory_limit_mb": 0,
               "experiment_address": "", "experiment_interface": "", "control_addresses": "", "given_up": [], "check_mode": False}
    given = json.dumps({"files": program_files()[1], "module": "benito_host.host.pool.lease", "options": options})
    done = subprocess.run(["python3", "-IS", "-X", "importtime", "-c", remote_call()], input=given, capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout), "read": {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}}


@sandboxed
def test_a_machine_is_asked_and_leased_without_reading_what_builds():
    asked, leased = lease("offered"), lease("present")
    assert asked["offer"]["taken_by"] == "" and leased["changed"] and lease("absent")["changed"]
    assert not asked["read"] & {"benito_host.hostplan", "benito_host.host.qemu.templates", *HEAVY - {"ipaddress"}}
    assert not leased["read"] & {"benito_host.hostplan", "benito_host.host.net.netlink", *HEAVY}
