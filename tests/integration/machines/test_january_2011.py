# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The January 2011 demo: whoever is inside cannot tell its three realisations apart, and its bots do as they are told in each."""

from __future__ import annotations

import json

import pytest
import support
from support import EVERY_NODE, ansible, wait_until

DEMO = support.ROOT / "examples" / "january-2011-demo"
REALISATIONS = ("one-machine", "inside-machines", "three-machines")
SEEN = ("ip -o -4 address show | awk '$2 ~ /^inf/ {print $2, $4}'; echo routes; "
        "ip -4 route show | grep ' dev inf' | sed 's/ proto [a-z]*//; s/ scope link.*//'; "
        "echo hosts; grep -v -e localhost -e '^127' -e '^#' -e '^$' /etc/hosts; echo reach; "
        "for name in irc bot-1 bot-2 bot-3 master west east target; do ping -c 1 -W 10 $name >/dev/null && echo $name; done")
_views: dict[str, dict] = {}


@pytest.mark.parametrize("realisation", REALISATIONS)
def test_the_bots_ping_the_target_when_the_master_tells_them(pool, make, realisation):
    experiment = make((DEMO / f"{realisation}.xml").read_text(), site=str(DEMO / "site.yml"))
    experiment.play("swapin")
    channel = "'/var/benito/irc/irc/#catch"
    there = f"test -d {channel}' && echo there || true"
    wait_until("everybody in the channel", lambda: set(ansible(pool, experiment, "bot-*:master", there).values()) == {"there"}, 120)
    ansible(pool, experiment, "master", f"timeout 10 sh -c 'echo \"!ping target\"' > {channel}/in'")

    def said():
        return ansible(pool, experiment, "master", f"grep -c 'to target: 3 received' {channel}/out' || true")["master"]

    wait_until("three bots' answers", lambda: said() == "3", 120)
    _views[realisation] = ansible(pool, experiment, EVERY_NODE, SEEN)


def test_the_three_realisations_look_alike_from_inside():
    if set(_views) != set(REALISATIONS):
        pytest.fail(f"only {', '.join(_views) or 'none'} of the realisations came so far as to be looked at")
    first, *others = (_views[name] for name in REALISATIONS)
    for other in others:
        for node in first:
            assert other[node].splitlines() == first[node].splitlines(), json.dumps([first[node], other[node]], indent=1)
