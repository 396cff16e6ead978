# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection plugin passes on commands, files and errors, with real ansible and a stand-in for benito-host.

The stand-in only sets an environment variable. The end-to-end tests use the real benito-host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

BENITO_HOST = """#!/bin/sh
[ "$1 $2 $3 $5" = "enter -e p.e --" ] || { echo "benito-host: called with $*" >&2; exit 1; }
[ "$4" = n-0 ] || { echo "benito-host: no node $4 of p.e on this host" >&2; exit 1; }
NODE=$4; export NODE
shift 5
exec "$@"
"""
HOSTS = """
all:
  vars:
    ansible_connection: deter.benito.process
    ansible_python_interpreter: {python}
    ansible_remote_tmp: {folder}/remote
    benito_host_program: {folder}/benito-host
    benito_vhost_connection: local
    benito_experiment: p.e
  hosts:
    n-0: {{benito_node: n-0}}
    n-1: {{benito_node: n-1}}
    nowhere: {{benito_node: nowhere, benito_vhost_connection: ansible.builtin.ssh}}
    strange: {{benito_node: n-0, benito_vhost_connection: no.such.plugin}}
"""


@pytest.fixture(name="ansible")
def fixture_ansible(tmp_path):
    """Return a function that runs one ad-hoc task and returns the output and exit status of ansible."""
    (tmp_path / "benito-host").write_text(BENITO_HOST)
    (tmp_path / "benito-host").chmod(0o755)
    (tmp_path / "hosts.yml").write_text(HOSTS.format(folder=tmp_path, python=sys.executable))

    def run(host, module, arguments, *options):
        command = [os.path.join(os.path.dirname(sys.executable), "ansible"), "-i", str(tmp_path / "hosts.yml"), host, "-m", module, "-a", arguments, *options]
        environment = {**os.environ, "ANSIBLE_CONFIG": os.path.abspath("ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout + done.stderr, done.returncode

    return run


@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_module_runs_inside_the_node(ansible, pipelining):
    text, status = ansible("n-0", "ansible.builtin.command", "printenv NODE", "-e", f"ansible_pipelining={pipelining}")
    assert text.splitlines() == ["n-0 | CHANGED | rc=0 >>", "n-0"]
    assert status == 0


def test_quotes_and_variables_reach_the_shell_unchanged(ansible):
    text, _status = ansible("n-0", "ansible.builtin.raw", """echo "$NODE" 'a  b' '"' \\'""")
    assert "n-0 a  b \" '" in text


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(range(256)) * 300], ids=["empty", "text", "binary"])
def test_files_are_copied_and_fetched_unchanged(ansible, tmp_path, content):
    (tmp_path / "local file").write_bytes(content)
    text, status = ansible("n-0", "ansible.builtin.copy", f"src='{tmp_path}/local file' dest='{tmp_path}/in the node' mode=0600")
    assert status == 0, text
    assert (tmp_path / "in the node").read_bytes() == content
    text, status = ansible("n-0", "ansible.builtin.fetch", f"src='{tmp_path}/in the node' dest={tmp_path}/fetched flat=true")
    assert status == 0, text
    assert (tmp_path / "fetched").read_bytes() == content


def test_node_that_cannot_be_entered_is_unreachable_with_the_reason(ansible):
    text, status = ansible("n-1", "ansible.builtin.ping", "")
    assert "n-1 | UNREACHABLE!" in text
    assert "vnode n-1 cannot be entered: benito-host: no node n-1 of p.e on this host" in text
    assert status == 4


def test_node_without_a_vhost_is_unreachable(ansible):
    text, status = ansible("nowhere", "ansible.builtin.ping", "")
    assert "vnode nowhere has no vhost: its experiment is not swapped in" in text
    assert status == 4


def test_unknown_connection_to_the_vhost_is_reported(ansible):
    text, status = ansible("strange", "ansible.builtin.ping", "")
    assert "no.such.plugin" in text
    assert status != 0


def test_failing_command_is_a_failure_and_not_unreachable(ansible):
    text, status = ansible("n-0", "ansible.builtin.raw", "echo out; echo error >&2; exit 3")
    assert "n-0 | FAILED | rc=3" in text
    assert status == 2


SUDO = """#!/bin/sh
[ "$1 $2" = "-H -S" ] || { echo "sudo: called with $*" >&2; exit 1; }
[ "$3" = -p ] || { echo "sudo: a password is required" >&2; exit 1; }
prompt=$4
printf '%s' "$prompt" >&2; read -r given
[ "$given" = secret ] || { echo "Sorry, try again." >&2; exit 1; }
shift 6
SUDO=yes; export SUDO
exec "$@"
"""


@pytest.fixture(name="vhost_with_sudo")
def fixture_vhost_with_sudo(ansible, tmp_path):
    """Return options for a vhost whose sudo wants the password "secret"."""
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o755)

    def options(**more):
        become = {"ansible_become_exe": str(tmp_path / "sudo"), **more}
        return "-e", json.dumps({"benito_vhost_become": True, "benito_vhost_become_variables": become})

    return options


def test_password_of_the_vhosts_sudo_comes_from_its_variables_a_variable_or_a_file(ansible, vhost_with_sudo, tmp_path):
    (tmp_path / "password").write_text("secret\n")
    for options in (
        vhost_with_sudo(ansible_become_password="secret"),
        (*vhost_with_sudo(ansible_become_password="old"), "-e", "ansible_become_password=secret"),
        (*vhost_with_sudo(), "--become-password-file", str(tmp_path / "password")),
    ):
        text, status = ansible("n-0", "ansible.builtin.raw", "echo $NODE $SUDO", *options)
        assert (text.split()[-2:], status) == (["n-0", "yes"], 0), text
        text, status = ansible("n-0", "ansible.builtin.command", "printenv SUDO", *options)
        assert (text.split()[-1], status) == ("yes", 0), text


def test_missing_password_of_the_vhosts_sudo_is_one_message_that_says_how_to_give_it(ansible, vhost_with_sudo):
    text, status = ansible("n-0", "ansible.builtin.ping", "", *vhost_with_sudo(), "-e", "ansible_host=192.0.2.1")
    assert "vnode n-0 cannot be entered: 192.0.2.1: sudo wants a password, and none was given: give it with -K" in text
    assert "ansible_become_password" in text and status == 4
