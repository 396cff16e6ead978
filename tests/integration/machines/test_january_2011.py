# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The January 2011 demo works in each of its three realisations, and they look alike from inside."""

from __future__ import annotations

import json

import pytest
import support
from support import EVERY_NODE, ansible, wait_until

DEMO = support.ROOT / "examples" / "january-2011-demo"
REALISATIONS = ("one-machine", "inside-machines", "three-machines")
VIEW = ("ip -o -4 address show | awk '$2 ~ /^inf/ {print $2, $4}'; echo routes; "
        "ip -4 route show | grep ' dev inf' | sed 's/ proto [a-z]*//; s/ scope link.*//'; "
        "echo hosts; grep -v -e localhost -e '^127' -e '^#' -e '^$' /etc/hosts; echo reach; "
        "for name in irc bot-1 bot-2 bot-3 master west east target; do ping -c 1 -W 10 $name >/dev/null && echo $name; done")
_views: dict[str, dict] = {}


@pytest.mark.parametrize("realisation", REALISATIONS)
def test_bots_ping_the_target_when_the_master_commands_it(pool, make, realisation):
    experiment = make((DEMO / f"{realisation}.xml").read_text(), site=str(DEMO / "site.yml"))
    experiment.play("swapin")
    channel = "'/var/benito/irc/irc/#catch"
    in_channel = f"test -d {channel}' && echo there || true"
    wait_until("everybody in the channel", lambda: set(ansible(pool, experiment, "bot-*:master", in_channel).values()) == {"there"}, 120)
    ansible(pool, experiment, "master", f"timeout 10 sh -c 'echo \"!ping target\"' > {channel}/in'")

    def answers():
        return ansible(pool, experiment, "master", f"grep -c 'to target: 3 received' {channel}/out' || true")["master"]

    wait_until("three bots' answers", lambda: answers() == "3", 120)
    _views[realisation] = ansible(pool, experiment, EVERY_NODE, VIEW)


def test_all_realisations_look_alike_from_inside():
    if set(_views) != set(REALISATIONS):
        pytest.fail(f"only {', '.join(_views) or 'none'} of the realisations ran far enough to be compared")
    first, *others = (_views[name] for name in REALISATIONS)
    for other in others:
        for node in first:
            assert other[node].splitlines() == first[node].splitlines(), json.dumps([first[node], other[node]], indent=1)
