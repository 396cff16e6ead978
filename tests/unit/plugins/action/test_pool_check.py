# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of the pool is checked without anything being left on it, and its clock is compared with the controller's."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.action.pool_check import clock_check


def test_a_machine_is_checked_and_nothing_is_left_on_it(run, vhost):
    result = run("pool_check", kvm=False, variables=["benito_experiment_adress", "pnode_type"])
    found = {check["name"]: check for check in result["checks"]}
    assert not result.get("failed") and not result["changed"]
    assert found["clock"]["state"] == "ok" and found["python"]["state"] == "ok"
    assert found["variables"]["state"] == "warning" and "benito_experiment_address is probably meant" in found["variables"]["text"]
    assert not vhost.exists()


@pytest.mark.parametrize("there, state, text", [
    (99.0, "ok", "within"), (105.0, "ok", "within"), (111.0, "ok", "within"), (113.0, "warning", "3 s ahead of"), (95.0, "warning", "5 s behind"),
    (4000.0, "failed", "ahead of"), ("soon", "failed", "does not say"), (None, "failed", "does not say"),
])
def test_a_clock_is_off_by_no_more_than_what_the_answer_took_cannot_explain(there, state, text):
    check = clock_check(100.0, there, 110.0)
    assert check["state"] == state and text in check["text"] and bool(check["remedy"]) == (isinstance(there, float) and state != "ok")
