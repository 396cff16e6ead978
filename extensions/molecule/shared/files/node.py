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


# tries what a QEMU must not be able to do; first as root, as a QEMU that starts is, at last as the user of a QEMU that runs
_PROBE = """
import ctypes, errno, fcntl, json, os, socket, struct, sys
libc, found = ctypes.CDLL(None, use_errno=True), {}

def attempt(name, act):
    try:
        act()
        found[name] = ""
    except OSError as exc:
        found[name] = errno.errorcode[exc.errno]

def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "")

for name in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_UNIX"):
    attempt(name, lambda: socket.socket(getattr(socket, name), socket.SOCK_RAW if name == "AF_PACKET" else socket.SOCK_DGRAM))
attempt("bus", lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"))
attempt("io_uring", lambda: call(425, 1, 0))
attempt("namespace", lambda: call(272, 0x10000000))
attempt("etc", lambda: open("/etc/hosts", "a"))
attempt("setting", lambda: open("/proc/sys/net/ipv4/ip_forward", "a"))
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
attempt("tap", lambda: fcntl.ioctl(os.open("/dev/net/tun", os.O_RDWR), 0x400454CA, struct.pack("16sH22x", sys.argv[2].encode(), 0x5002)))
print(json.dumps(found))
"""


def assert_confined(*names):
    """Assert that the QEMUs of these nodes have no privileges and different users.

    Also assert that a program in the sandbox of the first one reaches no network, no file of the host and no tap of the last one.
    """
    users = json.load(open(f"/var/benito/exp/{EXPERIMENT}/user_ids.json", encoding="utf-8"))
    assert set(users) == set(names) and len(set(users.values())) == len(names) and all(0x70000000 <= user < 0x71000000 for user in users.values()), users
    for name in names:
        unit = f"benito-node-{EXPERIMENT}:{name}.service"
        process, families = run("systemctl", "show", "--value", "--property=MainPID", "--property=RestrictAddressFamilies", unit).split()
        fields = dict(line.split(":\t", 1) for line in open(f"/proc/{process}/status", encoding="ascii").read().splitlines())
        assert fields["Uid"].split() == fields["Gid"].split() == [str(users[name])] * 4, fields
        assert (int(fields["CapEff"], 16), fields["NoNewPrivs"], fields["Seccomp"], families) == (0, "1", "2", "AF_UNIX"), (fields, families)
        assert int(fields["Seccomp_filters"]) > 5, f"QEMU has one, systemd has more: {fields}"
    lines = open(f"/run/systemd/system/benito-node-{EXPERIMENT}:{names[0]}.service", encoding="utf-8").read().splitlines()
    sandbox = lines[lines.index("NoNewPrivileges=yes"):]
    command = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *(f"--property={line}" for line in sandbox), "/usr/bin/python3", "-IS", "-c", _PROBE]
    found = json.loads(run(*command, str(users[names[0]]), planned(names[-1])["control"]["port"]))
    assert found.pop("bus") in ("EACCES", "ENOENT") and found.pop("tap") in ("EACCES", "EPERM"), found
    assert found == {"AF_INET": "EAFNOSUPPORT", "AF_INET6": "EAFNOSUPPORT", "AF_NETLINK": "EAFNOSUPPORT", "AF_PACKET": "EAFNOSUPPORT", "AF_UNIX": "",
                     "io_uring": "EPERM", "namespace": "EPERM", "etc": "EROFS", "setting": "EROFS"}, found
