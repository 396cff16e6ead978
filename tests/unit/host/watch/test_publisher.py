# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishing to clients, with real sockets."""

from __future__ import annotations

import os
import select
import stat
import time

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.watch_socket import ask_for_a_look, connect, listen_for_questions
from ansible_collections.deter.benito.plugins.module_utils.host.watch.publisher import MOST_CLIENTS, MOST_WAITING, Publisher
from ansible_collections.deter.benito.tests.unit.host.watch.test_states import Here


class Served:
    """A publisher with the loop that serves it."""

    def __init__(self, paths):
        self.paths, self.poll = paths, select.epoll()
        self.publisher = Publisher(paths, self.poll)

    def serve(self):
        while events := self.poll.poll(0):
            for fd, mask in events:
                self.publisher.on_event(fd, mask)

    def client(self, greeting=b"hello\n"):
        sock = connect(self.paths, 5)
        self.serve()
        if greeting:
            self.publisher.greet(greeting)
        return sock


@pytest.fixture(name="served")
def fixture_served(tmp_path):
    return Served(Here(str(tmp_path)))


def test_a_client_gets_a_snapshot_and_then_what_is_published(served):
    one = served.client(b"snapshot 1\n")
    served.publisher.publish(b"change 1\n")
    two = served.client(b"snapshot 2\n")
    served.publisher.publish(b"change 2\n")
    assert one.recv(1000) == b"snapshot 1\nchange 1\nchange 2\n" and two.recv(1000) == b"snapshot 2\nchange 2\n"


def test_before_its_snapshot_a_client_gets_nothing(served):
    one = served.client(greeting=b"")
    served.publisher.publish(b"change\n")
    assert served.publisher.is_awaited
    served.publisher.greet(b"snapshot\n")
    assert one.recv(1000) == b"snapshot\n" and not served.publisher.is_awaited


def test_a_client_that_does_not_read_is_dropped_and_others_are_served(served):
    idle, other = served.client(), served.client()
    line = b"x" * 65535 + b"\n"
    began, got = time.monotonic(), 0
    for _round in range(MOST_WAITING // len(line) + 10):
        served.publisher.publish(line)
        while got < 10 ** 9 and select.select([other], [], [], 0)[0]:
            got += len(other.recv(1 << 20))
            served.serve()
    assert time.monotonic() - began < 5, "publishing waited for the idle client"
    assert got >= MOST_WAITING
    idle.settimeout(5)
    while idle.recv(1 << 20):  # what the kernel had taken, then the end
        pass


def test_a_large_snapshot_reaches_a_client_in_parts(served):
    text = b"s" * (3 * MOST_WAITING) + b"\n"
    one = served.client(text)
    served.publisher.publish(b"change\n")
    got = b""
    while len(got) < len(text) + 7:
        got += one.recv(1 << 20)
        served.serve()
    assert got == text + b"change\n"


def test_a_client_that_hangs_up_is_forgotten(served):
    for _round in range(3 * MOST_CLIENTS):
        served.client().close()
        served.serve()
    served.publisher.publish(b"change\n")
    assert served.client(b"still here\n").recv(100) == b"still here\n"


def test_more_clients_than_allowed_are_turned_away(served):
    clients = [served.client() for _number in range(MOST_CLIENTS + 1)]
    assert clients[-1].recv(100) == b"" and clients[0].recv(100) == b"hello\n"


def test_what_clients_say_is_not_listened_to(served):
    one = served.client()
    one.sendall(b"x" * 10000)
    served.serve()
    served.publisher.publish(b"change\n")
    assert one.recv(100) == b"hello\nchange\n"


def test_questions_arrive_from_whoever_has_gone_and_never_wait(served, tmp_path):
    ask_for_a_look(served.paths)  # nobody listens
    questions = listen_for_questions(served.paths)
    for _number in range(1000):
        ask_for_a_look(served.paths)
    assert questions.recv(100) == b"look" and stat.S_IMODE(os.stat(f"{served.paths.run}/look.sock").st_mode) == 0o600
    ask_for_a_look(Here(str(tmp_path / "nowhere")))


def test_only_root_can_connect_and_the_socket_of_an_earlier_supervisor_is_replaced(served):
    first = os.stat(f"{served.paths.run}/watch.sock")
    assert stat.S_IMODE(first.st_mode) == 0o600
    again = Served(served.paths)
    assert again.client(b"new\n").recv(100) == b"new\n"


def test_the_path_of_the_folder_may_be_longer_than_that_of_a_socket(tmp_path):
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    folder.mkdir(parents=True)
    assert Served(Here(str(folder))).client(b"far\n").recv(100) == b"far\n"
