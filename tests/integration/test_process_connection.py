# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection plugin passes on commands, files and errors, with real ansible and a stand-in for benito-host.

The stand-in only sets an environment variable. The end-to-end tests use the real benito-host.
"""

from __future__ import annotations

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
