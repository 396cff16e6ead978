# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that the packet filter comes back when another program removes it. Run on a pnode by shared/tasks/script.yml."""

from node import EXPERIMENT, UNIT, benito, run, wait


def restored():
    """Return how often the supervisor has loaded the filter again, as the journal says."""
    return run("journalctl", "-u", UNIT, "-o", "cat").count("and is loaded again")


def state():
    return benito("status", "-e", EXPERIMENT)["filter"]


benito("start-unit", "-e", EXPERIMENT)
before = run("nft", "-s", "list", "ruleset")
assert state() == "up" and "benito_" in before, before
for damage in (["flush", "ruleset"], ["flush", "chain", *before.split("{")[0].split()[1:3], "arrivals"]):
    earlier = restored()
    run("nft", *damage)
    wait(f"the supervisor restores the filter after nft {' '.join(damage)}", lambda: run("nft", "-s", "list", "ruleset") == before, 30)
    wait("it says so in the journal", lambda times=earlier + 1: restored() == times, 30)
    assert state() == "up"
