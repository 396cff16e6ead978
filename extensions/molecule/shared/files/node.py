# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Helper functions of the scenarios' test scripts, which import it as ``node`` on a pnode. Python 3.9 and the standard library only."""

import hashlib
import json
import os
import subprocess
import sys
import time

EXPERIMENT = sys.argv[1]
HOST = os.uname().nodename
PLAN = json.load(open(f"/var/benito/exp/{EXPERIMENT}/host.json", encoding="utf-8"))
UNIT = f"benito-host@{EXPERIMENT}.service"


def run(*command, fails=False, text=None, limit_s=60):
    """Run a command and return its standard output. With ``fails``, the command must fail and both outputs are returned."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=limit_s, check=False)
    assert (done.returncode != 0) == fails, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr if fails else done.stdout


def benito(*command, fails=False):
    """Run benito-host and return its JSON output as data. With ``fails``, it must fail and its error message is returned."""
    done = subprocess.run(["benito-host", *command, "--json"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode != 0) == fails, f"benito-host {command} ended with {done.returncode}: {done.stdout}{done.stderr}"
    output = json.loads(done.stdout)
    return output["error"] if fails else output


def node(name, command, fails=False):
    """Run a shell command in a node with ``benito-host enter`` and return its output."""
    return run("benito-host", "enter", name, "--", "sh", "-c", command, fails=fails).strip()


def planned(name):
    """Return the node's entry in the host plan."""
    return next(vnode for vnode in PLAN["vnodes"] if vnode["name"] == name)


def state(name):
    """Return the node's state as benito-host reports it."""
    return benito("status", "-e", EXPERIMENT)["nodes"][name]


def login(name, command, user="root", fails=False):
    """Run a shell command in a node over SSH and return its output. SSH checks the node's host key. login.yml has copied the keys."""
    address = planned(name)["control"]["ip4_address"].split("/")[0]
    options = ("BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=/root/molecule/known_hosts", "GlobalKnownHostsFile=/dev/null")
    command = ("ssh", "-F", "/dev/null", "-i", "/root/molecule/ssh_key", *(f"-o{option}" for option in options), f"{user}@{address}", command)
    return run(*command, fails=fails, limit_s=180).strip()


def steady(name, *commands):
    """Assert that a node with a system of its own matches the plan, and return the output of each of ``commands``.

    The node reports its identity, links, routes and hosts file. SSH has checked its host key. One login runs everything, because
    a login takes a second where machines are emulated.
    """
    vnode, marker = planned(name), "=========="
    output = login(name, f"hostname; cat /etc/machine-id /var/benito/pid /var/benito/eid; echo {marker}; ip -json address; echo {marker}; ip -json -4 route; "
                         f"echo {marker}; cat /etc/hosts; echo {marker}; cat /proc/sys/net/ipv4/ip_forward"
                         + "".join(f"; echo {marker}; {command}" for command in commands))
    identity, links, routes, hosts, forwarding, *more = output.split(marker)
    machine = hashlib.sha256(f"machine-id\0{EXPERIMENT}\0{name}".encode()).hexdigest()[:32]
    assert identity.split() == [vnode["hostname"], machine, *EXPERIMENT.split(".")], identity
    links = {link["ifname"]: link for link in json.loads(links)}
    mtu = {"control0": json.loads(run("ip", "-json", "link", "show", "control0"))[0]["mtu"]}
    wires = [dict(vnode["control"], name="control0"), *vnode["interfaces"]]
    assert sorted(links) == sorted(["lo", *(wire["name"] for wire in wires)]), links
    for wire in wires:
        link = links[wire["name"]]
        assert link["address"] == wire["mac_address"] and link["mtu"] == mtu.get(wire["name"], 1500) and "UP" in link["flags"], link
        assert [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"] == [wire["ip4_address"]], link
    found = {(route["dst"], route.get("gateway")) for route in json.loads(routes)}
    assert {(route["to"], route["via"]) for route in vnode.get("routes", [])} <= found, (routes, vnode.get("routes"))
    assert {vnode["name"] for vnode in PLAN["vnodes"]} <= set(hosts.split()), hosts
    assert forwarding.strip() == str(int(len(vnode["interfaces"]) > 1)), forwarding
    return [text.strip() for text in more]


def wait(what, condition, limit_s=20.0):
    """Wait until the condition holds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s:.0f} s: {what}"
        time.sleep(0.05)


def answered(what, *command):
    """Wait until a ping is answered. The script runs on both pnodes at once, so the other pnode may be damaging and repairing its nodes."""
    wait(what, lambda: subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0, 60)


def reach(name, *others):
    """Wait until each of the other nodes has answered a ping of this node."""
    for other in others:
        answered(f"{name} reaches {other}", "benito-host", "enter", name, "--", "ping", "-c1", "-W2", other)


def nodes():
    return [vnode["name"] for vnode in PLAN["vnodes"]]


def processes(text):
    """Return the command lines of this host's processes that contain the text."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and int(pid) != os.getpid():
            found.append(line)
    return found
