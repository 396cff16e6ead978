# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clients that run a command on vhosts for long, made by Ansible's real connection plugins. A script stands in for ssh and sshpass."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from benito.errors import ExperimentError, HostError
from benito.reach import clients as module
from benito.reach.clients import Client, client_commands
from benito.reach.login_program import LoginError, as_root_by_password

POOL = {"ansible_host": "192.0.2.7", "ansible_user": "ops", "ansible_port": 2222, "ansible_ssh_private_key_file": "/keys/k y"}
TEXT = "/usr/local/sbin/benito-host watch -e P.e"


@pytest.fixture(name="commands")
def fixture_commands(tmp_path, monkeypatch):
    """Return ``commands(vhost=variables, …)``, which returns the client of each vhost."""
    (tmp_path / "ssh").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/opened\n')
    (tmp_path / "sshpass").write_text('#!/bin/sh\nfor word; do case $word in -d*) shift;; *) exec "$@";; esac; done\n')
    for name in ("ssh", "sshpass"):
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)

    def run(**hosts):
        def connection(vhost):
            if isinstance(hosts[vhost], str):
                raise ExperimentError(hosts[vhost])
            return {"ansible_ssh_executable": str(tmp_path / "ssh"), **hosts[vhost]}

        members = SimpleNamespace(connection=connection, directory=SimpleNamespace(home=str(tmp_path)))
        return asyncio.run(client_commands(members, dict.fromkeys(hosts, TEXT)))

    return run


def test_a_client_has_user_key_and_port_of_the_inventory_and_a_connection_of_its_own(commands):
    client = commands(p=POOL)["p"]
    assert {'User="ops"', "Port=2222", 'IdentityFile="/keys/k y"', "-T", "BatchMode=yes", "ControlPath=none", "ControlMaster=no"} <= set(client.argv)
    assert client.argv[-2:] == ("192.0.2.7", TEXT) and (client.line, client.once) == ("", False)


def test_root_is_become_without_a_password_or_with_one_that_only_sudo_gets(commands):
    found = commands(plain={**POOL, "ansible_become": True}, secret={**POOL, "ansible_become": True, "ansible_become_password": "top secret"},
                     root={**POOL, "ansible_become": True, "ansible_user": "root"})
    assert found["plain"].argv[-1] == f"sudo -n -u root -- /bin/sh -c '{TEXT}'" and found["plain"].line == ""
    assert found["secret"].argv[-1] == f"sudo -S -p '' -u root -- /bin/sh -c '{TEXT}'" and found["secret"].line == "top secret\n"
    assert "top secret" not in repr(found["secret"]) and not any("top secret" in word for word in found["secret"].argv)
    assert found["root"].argv[-1] == TEXT


def test_a_machine_that_is_this_one_needs_no_ssh(commands):
    found = commands(here={"ansible_connection": "local"}, root={"ansible_connection": "ansible.builtin.local", "ansible_become": True})
    assert found["here"] == Client(("/bin/sh", "-c", TEXT)) and found["root"].argv[2].startswith("sudo -n -u root -- ")


def test_a_connection_that_takes_a_password_is_opened_and_its_client_works_once(commands, tmp_path):
    client = commands(p={**POOL, "ansible_password": "secret"})["p"]
    assert client.once and "ControlPath=none" not in client.argv and "secret" not in str(client)
    assert any(word.startswith("ControlPath=") for word in client.argv), "it uses the connection that was opened"
    (opened,) = (tmp_path / "opened").read_text().splitlines()
    assert opened.endswith("192.0.2.7 true")


def test_a_vhost_that_has_no_client_has_a_reason_and_the_others_have_theirs(commands):
    process = {**POOL, "ansible_connection": "deter.benito.process", "benito_node": "n", "benito_experiment": "P.e"}
    found = commands(absent="it is not swapped in", su={**POOL, "ansible_become": True, "ansible_become_method": "su"}, well=POOL,
                     strange={**POOL, "ansible_connection": "no.such.plugin"}, process=process)
    assert found["absent"] == "it is not swapped in" and "dialogue with su" in found["su"] and "no.such.plugin" in found["strange"]
    assert "keeps no connection" in found["process"] and isinstance(found["well"], Client)


def test_what_ansible_prints_for_debugging_does_not_matter(commands, monkeypatch):
    monkeypatch.setenv("ANSIBLE_DEBUG", "1")
    monkeypatch.setenv("ANSIBLE_VERBOSITY", "5")
    assert isinstance(commands(p={**POOL, "ansible_password": "x"})["p"], Client)


def test_without_ansible_the_reason_is_a_sentence(commands, monkeypatch, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('\\x1b[31mno ansible here')")
    monkeypatch.setattr(module, "PROGRAM", broken)
    with pytest.raises(HostError, match=r": no ansible here$"):
        commands(p=POOL)


def test_connection_plugins_that_hang_are_ended_with_their_clients(commands, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_LIMIT_S", 1.0)
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import subprocess\nprocess = subprocess.Popen(['sleep', '1000'])\n"
                       f"open({str(tmp_path / 'pid')!r}, 'w').write(str(process.pid))\nprocess.wait()\n")
    monkeypatch.setattr(module, "PROGRAM", hanging)
    with pytest.raises(HostError, match="within 1 s"):
        commands(p=POOL)
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text()}")


@pytest.mark.parametrize("method", ["su", "doas", "runas"])
def test_only_sudo_takes_a_password_from_its_input(method):
    with pytest.raises(LoginError) as refused:
        as_root_by_password({**POOL, "ansible_become": True, "ansible_become_method": method, "ansible_become_password": "secret"}, "id")
    assert "secret" not in str(refused.value)


def test_the_password_reaches_a_command_that_reads_it_as_sudo_does(tmp_path):
    """The text of the shell command and the line of input go together."""
    (tmp_path / "sudo").write_text('#!/bin/sh\nread password\n[ "$password" = "pass word" ] || exit 9\n'
                                   'while [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    far, line = as_root_by_password({"ansible_become": True, "ansible_user": "ops", "ansible_become_password": "pass word"}, "echo 'a  b'")
    done = subprocess.run(["/bin/sh", "-c", far], input=line, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True)
    assert done.stdout == "a  b\n"
    assert json.dumps(line) not in far
