# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session for many processes: started once, started again when it is dead, and given up with its reason. A small program stands in for SSH."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.run import enter_server
from ansible_collections.deter.benito.plugins.plugin_utils.shared_session import MOST_SESSIONS, NoSessionError, SharedSession

# what SSH and the server do together: listen at the near socket, and answer each request with the pid and the node
STAND_IN = f"""
WORD, LENGTHS = {enter_server.REQUEST_WORD}, {enter_server.REQUEST.format!r}
""" + """
import json, os, socket, struct, sys
local = sys.argv[sys.argv.index("-L") + 1].split(":")[0]
with open(sys.argv[1], "a") as started:
    started.write("started\\n")
listener = socket.socket(socket.AF_UNIX)
listener.bind(local)
listener.listen(100)
listener.settimeout(20)
print("benito-host: ready for commands", flush=True)
while True:
    connection = listener.accept()[0]
    if sys.argv[2] == "closes":
        connection.close()
        continue
    connection.settimeout(20)
    if connection.recv(len(WORD), socket.MSG_WAITALL) != WORD:
        sys.exit("this is no request")
    lengths = connection.recv(struct.calcsize(LENGTHS), socket.MSG_WAITALL)
    asked = json.loads(connection.recv(struct.unpack(LENGTHS, lengths)[0], socket.MSG_WAITALL))
    for kind, data in ((b"R", b""), (b"O", f"{os.getpid()} {asked['node']}".encode()), (b"X", b"0")):
        connection.sendall(struct.pack("!cI", kind, len(data)) + data)
    connection.close()
"""


@pytest.fixture(name="folder")
def fixture_folder():
    """Return a folder with a short path: that of a socket has at most 108 characters."""
    with tempfile.TemporaryDirectory(prefix="benito-test-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(name="session")
def fixture_session(folder):
    """Return session(behaviour) for a folder of this test."""
    (folder / "ssh.py").write_text(STAND_IN)

    def make(behaviour="answers"):
        def command(first, arguments):
            if behaviour == "fails":
                return [b"/bin/sh", b"-c", b"echo 'Host key verification failed.' >&2; exit 255"]
            return [os.fsencode(word) for word in (sys.executable, folder / "ssh.py", folder / "started", behaviour, *first, *arguments)]

        return SharedSession(str(folder), command, 5.0)

    return make


def ask(session, node):
    return session.run(node, ["true"], b"")[1].decode().split()


def test_many_processes_share_one_session(session, folder):
    with multiprocessing.get_context("fork").Pool(20) as pool:
        found = pool.starmap(ask, [(session_of(folder), f"n-{number}") for number in range(60)])
    assert {node for _pid, node in found} == {f"n-{number}" for number in range(60)}
    assert len({pid for pid, _node in found}) == 1
    assert (folder / "started").read_text().count("started") == 1
    os.kill(int(found[0][0]), 9)


class session_of:
    """A session that can be handed to another process."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "ssh.py").write_text(STAND_IN)

    def command(self, first, arguments):
        return [os.fsencode(word) for word in (sys.executable, self.folder / "ssh.py", self.folder / "started", "answers", *first, *arguments)]

    def run(self, *arguments):
        return SharedSession(str(self.folder), self.command, 5.0).run(*arguments)


def test_a_session_that_has_died_is_started_again(session):
    first, _node = ask(session(), "n-0")
    os.kill(int(first), 9)
    second, node = ask(session(), "n-1")
    assert second != first and node == "n-1"
    session().reset()
    third, _node = ask(session(), "n-1")
    assert third != second
    for pid in (second, third):
        os.kill(int(pid), 9)


def test_a_session_that_cannot_be_started_is_tried_once_and_the_reason_is_kept(session, folder):
    for _time in range(2):
        with pytest.raises(NoSessionError, match="Host key verification failed"):
            ask(session("fails"), "n-0")
    assert sorted(path.name.partition(".")[2] for path in folder.glob("benito-*")) == ["failed", "lock"]


def test_a_vhost_that_forbids_forwarding_is_given_up(session, folder):
    for _time in range(2):
        with pytest.raises(NoSessionError, match="AllowStreamLocalForwarding"):
            ask(session("closes"), "n-0")
    assert (folder / "started").read_text().count("started") == 3


def hold(session, seconds):
    with session.slot():
        begin = time.monotonic()
        time.sleep(seconds)
        return begin, time.monotonic()


def test_sessions_of_single_commands_are_bounded(folder):
    session = SharedSession(str(folder), no_command, 5.0)
    with multiprocessing.get_context("fork").Pool(20) as pool:
        spans = pool.starmap(hold, [(session, 0.1)] * 20)
    assert max(sum(begin <= moment < end for begin, end in spans) for moment, _end in spans) <= MOST_SESSIONS


def no_command(_first, _arguments):
    return []
