# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each QEMU of a host has a user id that no other has and nobody else may use."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.lxc.config import FIRST_ID, IDS
from ansible_collections.deter.benito.plugins.module_utils.host.qemu import user_ids
from ansible_collections.deter.benito.plugins.module_utils.host.qemu.user_ids import NODES, TEMPLATE_IDS, allot_user_ids, release_user_ids, template_user_id
from ansible_collections.deter.benito.tests.unit.host.sandbox import in_processes, sandboxed

COLLIDING = ("", "")  # in zlib.crc32 modulo 2 ** 24, as nodes of Proj.exp


def experiment(name: str = "Proj.exp") -> ExperimentPaths:
    paths = ExperimentPaths(name)
    os.makedirs(paths.directory, mode=0o700, exist_ok=True)
    return paths


def crc(node: str) -> int:
    return zlib.crc32(f"Proj.exp:{node}".encode()) % len(NODES)


def test_the_ranges_meet_neither_each_other_nor_that_of_containers():
    assert NODES[-1] < TEMPLATE_IDS[0] and FIRST_ID + IDS <= NODES[0] and TEMPLATE_IDS[-1] < 2**31
    assert (NODES[0], NODES[-1], TEMPLATE_IDS[0], TEMPLATE_IDS[-1]) == (1879048192, 1895825407, 1895825408, 1912602623), "as documented"


@sandboxed
def test_two_nodes_whose_names_collide_have_different_ids():
    first, second = COLLIDING
    assert crc(first) == crc(second)
    found = allot_user_ids(experiment(), [first, second])
    assert found == {first: NODES[crc(first)], second: NODES[crc(first) + 1]}


@sandboxed
def test_a_node_keeps_its_id_whatever_comes_and_goes():
    paths, (first, second) = experiment(), COLLIDING
    before = allot_user_ids(paths, [second])
    assert allot_user_ids(paths, [first, second])[second] == before[second]
    text = Path(paths.directory, "user_ids.json").read_text()
    assert allot_user_ids(paths, [second, first]) == json.loads(text) and Path(paths.directory, "user_ids.json").read_text() == text
    assert os.stat(f"{paths.directory}/user_ids.json").st_mode & 0o777 == 0o600
    kept = allot_user_ids(paths, [first])
    assert allot_user_ids(paths, [first, second])[first] == kept[first]


@sandboxed
def test_the_id_of_a_removed_node_or_experiment_is_free_again():
    first, second = COLLIDING
    paths = experiment()
    assert allot_user_ids(paths, [first])[first] == NODES[crc(first)]
    assert allot_user_ids(paths, [second])[second] == NODES[crc(first)], "only one was there at a time"
    release_user_ids(paths)
    release_user_ids(paths)
    assert os.listdir(paths.directory) == []


@sandboxed
def test_experiments_that_allot_at_once_share_no_id():
    def allot(number):
        paths = experiment(f"Proj.e{number}")
        user_ids.NODES = range(NODES[0], NODES[0] + 1000)  # so few that nearly all collide
        for count in range(0, 121, 40):
            allot_user_ids(paths, [f"n{node}" for node in range(count)])
        return True

    assert in_processes(6, allot) == [0] * 6
    users = [user for number in range(6) for user in json.loads(Path(experiment(f"Proj.e{number}").directory, "user_ids.json").read_text()).values()]
    assert len(users) == len(set(users)) == 720


@sandboxed
def test_ids_of_users_groups_ranges_and_processes_are_left_alone():
    node = COLLIDING[0]
    first = crc(node)
    subordinate = Path("/run/subuid")
    subordinate.write_text(f"# a comment\nuser:100000:65536\nodd:1:x\nother:{NODES[first] + 1}:10\nmore:{NODES[first] + 9}:90\n")
    user_ids._SUBORDINATE = (str(subordinate), "/run/none")
    user_ids._has_name = lambda user: user == NODES[first]
    user_ids._ids_of_processes = lambda: {NODES[first] + 99}
    assert allot_user_ids(experiment(), [node]) == {node: NODES[first] + 100}


@sandboxed
def test_a_host_without_a_free_id_says_so():
    Path("/run/subuid").write_text("root:1:4294967294\n")
    user_ids._SUBORDINATE = ("/run/subuid",)
    with pytest.raises(HostError, match="no user id from 1879048192 to 1895825407 is free on this host for the QEMU of Proj.exp:a: look into /run/subuid"):
        allot_user_ids(experiment(), ["a"])


@sandboxed
def test_the_id_of_a_process_without_a_record_is_taken():
    node = COLLIDING[0]
    pid = os.fork()
    if pid == 0:
        os.setuid(NODES[crc(node)])
        os.read(os.pipe()[0], 1)
        os._exit(0)
    try:
        while os.stat(f"/proc/{pid}").st_uid == 0:
            pass
        assert allot_user_ids(experiment(), [node]) == {node: NODES[crc(node)] + 1}
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@pytest.mark.parametrize(("text", "message"), [
    ("{", "is damaged: "), ("[]", "does not hold a JSON object"), (b"\xff", "is damaged: "), ("[" * 100_000, "is damaged: "),
    ('{"a": "x"}', "a has no id from 1879048192 to 1895825407"),
    ('{"a": 0}', "a has no id"), ('{"a": true}', "a has no id"), ('{"a": 1879048192.0}', "a has no id"),
    ('{"a": 1879048192, "b": 1879048192}', "two nodes have the same id. Swap Proj.other out"),
])
def test_a_damaged_record_is_named(text, message):
    @sandboxed
    def body():
        other = experiment("Proj.other")
        Path(other.directory, "user_ids.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        for paths in (experiment(), other):
            with pytest.raises(HostError, match="^/var/benito/exp/Proj.other/user_ids.json is damaged.*") as raised:
                allot_user_ids(paths, ["a", "b", "c"])
            assert message in str(raised.value)
        release_user_ids(other)
        assert len(allot_user_ids(experiment(), ["a"])) == 1

    body()


@sandboxed
def test_templates_that_are_made_at_once_have_different_ids_and_leave_nothing():
    makings = [f"{user_ids.TEMPLATES}/.making-{number}" for number in range(40)]
    for making in makings:
        os.makedirs(making)
    user_ids.TEMPLATE_IDS = range(TEMPLATE_IDS[0], TEMPLATE_IDS[0] + 50)
    assert in_processes(8, lambda number: [template_user_id(making, lambda: None) for making in makings[number::8]]) == [0] * 8
    users = {int(Path(making, "user").read_text()) for making in makings}
    assert len(users) == 40 and min(users) >= TEMPLATE_IDS[0] and max(users) < TEMPLATE_IDS[0] + 50
    assert sorted(os.listdir(user_ids.TEMPLATES)) == sorted(map(os.path.basename, makings))
    Path(makings[0], "user").write_text("damaged")
    assert template_user_id(makings[0], lambda: None) in range(TEMPLATE_IDS[0], TEMPLATE_IDS[0] + 50)
