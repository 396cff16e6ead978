# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many commands at a time over one server, as the connection plugin asks for them. The node is the machine itself, which needs no namespaces.

tests/integration/test_tasks_in_vnodes.py runs it through SSH, in nodes with namespaces.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from unittest.mock import patch

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import RUN_ROOT
from ansible_collections.deter.benito.plugins.module_utils.host.run import enter_server
from ansible_collections.deter.benito.plugins.module_utils.hostplan import HostPlan, VnodePlan
from ansible_collections.deter.benito.plugins.plugin_utils import shared_session
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

NAME = "0123456789abcdef"
PATH = f"{enter_server.FOLDER}/{NAME}"
PLAN = HostPlan("Proj", "exp", "pnode-0000", vnodes=(VnodePlan("n-0", "embedded_pnode", "n-0"),))


def wait_for(condition, limit_s=20.0):
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def server(idle_s=60.0):
    """A server in a child process. Yield (its paths, its pid)."""
    paths = install_plan(PLAN)
    unit = "/run/unit"
    os.makedirs(f"{unit}/node-n-0")
    os.makedirs(paths.run)
    for path, text in ((f"{unit}/node-n-0/cgroup.procs", ""), (f"{paths.run}/supervisor.json", json.dumps({"cgroup": unit})), (paths.program, "#!/bin/sh")):
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            os.close(reader)
            sys.stdout = os.fdopen(writer, "w")
            enter_server.serve(paths, NAME, idle_s)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as output:
        assert output.readline().strip() == enter_server.READY
        try:
            yield paths, pid
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def connected():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(PATH)
    return connection


def request(script, given=b"", node="n-0"):
    asked = json.dumps({"node": node, "argv": ["/bin/sh", "-c", script]}).encode()
    return enter_server.REQUEST_WORD + enter_server.REQUEST.pack(len(asked), len(given)) + asked + given


def run(script, given=b"", node="n-0"):
    with connected() as connection:
        return shared_session._exchange(connection, request(script, given, node))


@sandboxed
def test_output_errors_and_status_come_back_apart():
    with server():
        assert run("echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")
        assert run('echo "$BENITO_NODE"; kill -9 $$') == (137, b"n-0\n", b"")


@sandboxed
def test_megabytes_go_both_ways_at_once():
    data = bytes(range(256)) * 20_000
    with server():
        assert run("cat", data) == (0, data, b"")
        assert run("exit 4", data) == (4, b"", b""), "a command that reads nothing"
        assert run("exec 0<&-; echo there", data) == (0, b"there\n", b"")


@sandboxed
def test_a_reader_that_reads_nothing_and_a_command_that_hangs_block_no_other():
    with server(), connected() as slow, connected() as hanging:
        slow.sendall(request("yes"))
        hanging.sendall(request("sleep 1000"))
        assert run("echo here") == (0, b"here\n", b"")
        slow.setblocking(False)


@pytest.mark.parametrize("given", [b"", b"x" * 3_000_000], ids=["silent", "with input that nobody reads"])
def test_a_command_is_killed_when_its_connection_closes(given):
    @sandboxed
    def body():
        with server(), connected() as connection:
            connection.setblocking(False)
            connection.send(request("echo $$ > /run/pid.new; mv /run/pid.new /run/pid; exec sleep 1000", given))
            wait_for(lambda: os.path.exists("/run/pid"))
            with open("/run/pid", encoding="ascii") as stream:
                process = f"/proc/{int(stream.read())}"
            assert os.path.exists(process)
            connection.close()
            wait_for(lambda: not os.path.exists(process))

    body()


@sandboxed
def test_a_node_that_cannot_be_entered_is_refused_with_the_reason():
    with server():
        with pytest.raises(shared_session.NotEnteredError, match="no node n-9 of Proj.exp on this host"):
            run("true", node="n-9")


@sandboxed
def test_what_is_no_request_ends_the_connection_alone():
    with server():
        for text in (b"GET / HTTP/1.0\r\n\r\n", enter_server.REQUEST_WORD + enter_server.REQUEST.pack(4, 0) + b"null"):
            with connected() as connection:
                connection.sendall(text)
                with suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
        assert run("echo here")[1] == b"here\n"


@sandboxed
def test_an_ssh_client_that_takes_the_socket_for_its_own_is_hung_up_on():
    with server():
        done = subprocess.run(["ssh", "-o", f"ControlPath={PATH}", "-O", "exit", "nobody"], capture_output=True, check=False, timeout=20)
        assert done.returncode
        assert run("echo here")[1] == b"here\n"


@sandboxed
def test_a_request_that_does_not_come_whole_is_given_up():
    with patch.object(enter_server, "_REQUEST_S", 0.2), server(), connected() as connection:
        connection.sendall(request("true")[:10])
        connection.settimeout(20)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("how", ["replaced", "swapped out"])
def test_a_server_of_another_version_takes_no_command(how):
    @sandboxed
    def body():
        with server() as (paths, pid):
            assert run("true")[0] == 0
            if how == "replaced":
                with open(f"{paths.program}.new", "w", encoding="utf-8") as stream:
                    stream.write("#!/bin/sh")
                os.replace(f"{paths.program}.new", paths.program)
            else:
                for entry in set(os.listdir(RUN_ROOT)) - {os.path.basename(enter_server.FOLDER)}:
                    shutil.rmtree(f"{RUN_ROOT}/{entry}", ignore_errors=True)
                os.unlink(paths.plan)
            assert os.waitpid(pid, 0)[1] == 0
            assert not os.path.exists(enter_server.FOLDER)
            assert how == "replaced" or not os.path.exists(RUN_ROOT), "swap-out found it in use"

    body()


@sandboxed
def test_an_idle_server_ends_but_not_while_a_command_runs():
    with server(idle_s=0.2) as (_paths, pid):
        assert run("sleep 1.5; echo done") == (0, b"done\n", b"")
        assert os.waitpid(pid, 0)[1] == 0
        assert not os.path.exists(PATH)


@sandboxed
def test_only_its_user_may_connect_and_names_of_sockets_are_checked():
    with server() as (paths, _pid):
        assert (os.stat(PATH).st_mode & 0o777, os.stat(enter_server.FOLDER).st_mode & 0o777) == (0o600, 0o711)
        with pytest.raises(HostError, match="is no name of a socket"):
            enter_server.serve(paths, "../x")
