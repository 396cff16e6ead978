# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command by which a node of each kind is entered, made of what its inventory says. An SSH client that prints its arguments stands in for the real one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from benito.reach import login_program
from benito.reach.login_program import LoginError, as_root

ROOT = Path(__file__).parents[4]


@pytest.fixture(name="login")
def fixture_login(tmp_path):
    """A function: a node's variables and what runs there in, (exit status, arguments of the SSH client, errors) out."""
    client = tmp_path / "client"
    client.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 9\n')
    client.chmod(0o755)

    def run(variables, text="", program=(), terminal=False):
        request = {"collections": str(ROOT / ".ansible" / "collections"), "node": "n-0", "text": text, "program": list(program), "terminal": terminal,
                   "variables": {"ansible_ssh_executable": str(client), "ansible_control_path_dir": str(tmp_path / "cp"), **variables}}
        reader, writer = os.pipe()
        with os.fdopen(writer, "w") as stream:
            json.dump(request, stream)
        done = subprocess.run([sys.executable, "-P", login_program.__file__, str(reader)], pass_fds=[reader], capture_output=True, text=True, check=False,
                              cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, timeout=60)
        os.close(reader)
        return done.returncode, done.stdout.splitlines(), done.stderr

    return run


POOL = {"ansible_host": "192.0.2.7", "ansible_user": "ops", "ansible_port": 2222, "ansible_ssh_private_key_file": "/keys/k y",
        "ansible_ssh_common_args": "-J jump.example -o UserKnownHostsFile='/a b/known'"}


def test_a_login_has_user_key_port_and_jump_host_of_the_inventory_and_the_clients_exit_status(login):
    status, arguments, _error = login(POOL)
    assert status == 9
    expected = {'User="ops"', "Port=2222", 'IdentityFile="/keys/k y"', "jump.example", "UserKnownHostsFile=/a b/known", "PasswordAuthentication=no"}
    assert expected <= set(arguments)
    assert arguments[-1] == "192.0.2.7" and "-T" in arguments


def test_a_command_is_one_argument_and_becomes_root_where_the_pool_says_so(login):
    assert login(POOL, text="echo 'a  b'; id")[1][-2:] == ["192.0.2.7", "echo 'a  b'; id"]
    assert login({**POOL, "ansible_become": True}, text="id; id")[1][-1] == "sudo -n -u root -- /bin/sh -c 'id; id'"
    assert login({**POOL, "ansible_become": True}, terminal=True)[1][-1] == 'sudo -n -u root -- "${SHELL:-/bin/sh}"'


PROCESS = {**POOL, "ansible_connection": "deter.benito.process", "benito_node": "n-0", "benito_experiment": "P.e"}


def test_a_process_node_is_entered_on_its_vhost(login):
    far = "/usr/local/sbin/benito-host enter -e P.e n-0"
    status, arguments, error = login(PROCESS, terminal=True)
    assert (status, arguments[-1], "-t" in arguments) == (9, far, True), error
    assert login({**PROCESS, "benito_vhost_become": True}, program=["echo", "a b"])[1][-1] == f"sudo -n {far} -- echo 'a b'"
    assert login(PROCESS, text="echo $HOME")[1][-1] == f"{far} -- /bin/sh -c 'echo $HOME'"


@pytest.mark.parametrize(("more", "message"), [
    ({"benito_vhost_become": True, "benito_vhost_become_variables": {"ansible_become_password": "x"}}, "takes a password"),
    ({"benito_vhost_connection": "ansible.builtin.local"}, "not reached by SSH"),
    ({"ansible_connection": "no.such.plugin"}, "no.such.plugin"),
])
def test_what_cannot_be_entered_is_said_in_a_sentence(login, more, message):
    status, _arguments, error = login({**PROCESS, **more})
    assert status == 255
    assert message in error and "n-0" in error and "Traceback" not in error


@pytest.mark.parametrize("variables", [{"ansible_become_method": "su"}, {"ansible_become_password": "secret"}, {"ansible_sudo_pass": "secret"}])
def test_a_password_of_sudo_is_never_shown_and_the_login_is_refused(variables):
    with pytest.raises(LoginError, match="dialogue") as refused:
        as_root({**POOL, "ansible_become": "yes", **variables}, "id")
    assert "secret" not in str(refused.value)


def test_root_does_not_become_root():
    assert as_root({"ansible_become": True, "ansible_user": "root"}, "id") == "id"


def test_the_terminal_of_the_caller_is_the_nodes(tmp_path):
    """``replace_by_login`` runs the real program, whose client sees the terminal."""
    client = tmp_path / "client"
    client.write_text("#!/bin/sh\ntest -t 0 && test -t 1 && echo terminal; exit 3\n")
    client.chmod(0o755)
    code = ("import sys; from benito.reach.login import replace_by_login\n"
            f"class M:\n connection = lambda self, name: {{'ansible_host': 'h', 'ansible_ssh_executable': {str(client)!r}}}\n"
            "replace_by_login(M(), 'n', [])")
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-c", code], {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    seen = b""
    try:
        while data := os.read(terminal, 1024):
            seen += data
    except OSError:
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3, seen
    assert b"terminal" in seen
