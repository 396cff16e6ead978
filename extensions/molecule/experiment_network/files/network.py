# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check substrates that span two pnodes: links, full-size packets, repair. Run on a pnode by shared/tasks/script.yml."""

import json

from node import EXPERIMENT, PLAN, answered, benito, run


def probe_network():
    """Return the prefix that makes a command run in the network namespace of the probe."""
    return ("nsenter", f"--net=/run/benito/exp/{EXPERIMENT}/probe")


def peer_addresses():
    """Return {substrate: the other vhost's probe address}."""
    return {s["name"]: address for s in PLAN["substrates"] for address in s.get("probe_peers", {}).values()}


crossing = [s for s in PLAN["substrates"] if "tunnel" in s]
assert sorted(s["name"] for s in crossing) == ["lan0", "lan1"]
addresses = [s["probe_address"] for s in crossing] + list(peer_addresses().values())
assert len(set(addresses)) == 4, addresses

links = {link["ifname"]: link for link in json.loads(run("ip", "-json", "-details", "link", "show"))}
for substrate in PLAN["substrates"]:
    bridge = links[substrate["bridge"]]
    assert bridge["mtu"] == 1500 and "UP" in bridge["flags"], bridge
    assert bridge["ifalias"] == f"benito:{EXPERIMENT}:substrate:{substrate['name']}"
    assert [bridge["linkinfo"]["info_data"][key] for key in ("stp_state", "mcast_snooping", "nf_call_iptables")] == [0, 0, 0]

# a full-size packet crosses each tunnel, a packet one byte larger does not
for address in peer_addresses().values():
    answered(f"a full-size packet to {address}", *probe_network(), "ping", "-c1", "-W2", "-Mdo", "-s1472", address)
    run(*probe_network(), "ping", "-c1", "-W1", "-Mdo", "-s1473", address, fails=True)
assert benito("probe", "-e", EXPERIMENT)["probed"] == 2

# repair restores what is missing, and nothing else
for damage, expected in (
    (["ip", "link", "delete", crossing[0]["tunnel"]["device"]], crossing[0]["tunnel"]["device"]),
    (["ip", "link", "set", crossing[1]["bridge"], "down"], crossing[1]["bridge"]),
    (["nft", "flush", "ruleset"], "firewall"),
):
    run(*damage)
    changes = benito("apply", "-e", EXPERIMENT, "--part", "network")["changes"]
    assert changes and all(expected in change for change in changes), changes
    assert benito("apply", "-e", EXPERIMENT, "--part", "network")["changes"] == []
