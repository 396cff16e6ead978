# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is said at the end of a swap-in or swap-out."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.swap import failures_of, table

ROW = {"node": "a", "kind": "process", "pnode": "pnode-0000", "machine": "m1", "state": "booted", "start_command": "exit 0"}


def test_a_vhost_that_reported_nothing_was_lost_and_one_that_is_built_is_no_failure():
    reports = {"p0": {"done": True}, "p1": {"built": True}, "p2": {"failure": "no disk"}, "p3": {}}
    assert failures_of(reports) == {"p2": "no disk", "p3": "the connection to it was lost"}
    assert failures_of({}) == {}


def test_the_table_is_aligned():
    assert table([ROW, {**ROW, "node": "longer-name", "start_command": "-"}]) == [
        "NODE         KIND     PNODE       MACHINE  STATE   START COMMAND",
        "a            process  pnode-0000  m1       booted  exit 0",
        "longer-name  process  pnode-0000  m1       booted  -",
    ]
    assert table([]) == []


def test_of_many_nodes_those_that_are_not_as_they_should_be_come_first():
    rows = [{**ROW, "node": f"n{number}"} for number in range(100)]
    rows[70] = {**rows[70], "state": "missing"}
    rows[80] = {**rows[80], "start_command": "lost"}
    lines = table(rows, most=10)
    assert [line.split()[0] for line in lines[1:4]] == ["n70", "n80", "n0"]
    assert len(lines) == 12 and lines[-1] == "… and 90 more nodes"
