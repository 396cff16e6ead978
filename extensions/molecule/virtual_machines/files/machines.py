# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the virtual machines wide and plain, beside a ghost and a process. Run on the pnode by shared/tasks/script.yml.

Argument: what was done before, a key of BOOTS.
"""

import glob
import json
import os
import re
import socket
import stat
import sys

from node import EXPERIMENT, HOST, assert_confined, benito, login, node, planned, processes, run, state, steady, wait

NAMES = ("wide", "plain")
# how often wide and plain have booted
BOOTS = {"begun": (1, 1), "restarted": (2, 2), "rebooted": (2, 3), "returned": (3, 4)}[sys.argv[2]]


def unit(name, prop):
    return run("systemctl", "show", "--value", f"--property={prop}", f"benito-node-{EXPERIMENT}:{name}.service").strip()


def runtime_folder(name):
    """Return the folder of a machine's sockets and logs."""
    return f"/run/benito/vm/{planned(name)['control']['port']}"


wait("both to boot", lambda: all(state(name)["state"] == "booted" for name in NAMES), 400)
wait("the end of wide's start command", lambda: state("wide")["start_command"] == "ended", 120)
wait("the start of plain's start command", lambda: state("plain")["start_command"] == "running", 120)

# the nodes keep key, name, machine id, addresses and disk over restarts; the start command runs once in each boot
log = "cat /var/benito/log/start_command.log"
(plain_log,) = steady("plain", log)
wide_log, out, err, mine, slots = steady("wide", log, "cat /var/benito/log/start_command.out", "cat /var/benito/log/start_command.err",
                                         "cat /root/mine || true", "cd /sys/class/net; for name in control0 inf*; do readlink -f $name/device; done")
assert (wide_log.count("started"), plain_log.count("started")) == BOOTS, (wide_log, plain_log)
assert (out, err) == ("wide as tester, ' and ☃", " ".join([*EXPERIMENT.split("."), "wide"])), (out, err)
assert re.search("started .* as tester: echo .*\nping .*\nended .* with exit status 3$", wide_log, re.DOTALL), wide_log
assert state("wide")["exit_status"] == 3, state("wide")
assert mine == ("" if sys.argv[2] == "begun" else "kept"), mine
assert benito("apply", "-e", EXPERIMENT)["changes"] == []

# the machine has twenty interfaces in the plan's order, each connected to its peer
wires = planned("wide")["interfaces"]
assert [wire["name"] for wire in wires] == [f"inf{number:03}" for number in range(20)]
assert len(slots.split()) == 21 and slots.split() == sorted(slots.split()), slots
if sys.argv[2] in ("begun", "returned"):
    peers = zip([wire["name"] for wire in wires], [wire["ip4_address"].split("/")[0] for wire in planned("peer")["interfaces"]])
    pings = "; ".join(f"ping -c 1 -W 20 -s 1472 -M do -I {name} {peer} > /dev/null || echo no answer through {name}" for name, peer in peers)
    assert login("wide", f"{pings}; ping -c 1 -W 20 plain > /dev/null || echo no answer of plain") == ""
    for wire in wires[::6]:
        node("peer", f"ping -c 1 -W 20 {wire['ip4_address'].split('/')[0]}")

# a ghost has addresses and names, and nothing else
assert state("reserved") == {"kind": "qemu", "state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
address = planned("reserved")["interfaces"][0]["ip4_address"].split("/")[0]
assert node("peer", "getent hosts reserved").split()[0] == address
node("peer", f"ping -c 1 -W 1 {address}", fails=True)
assert "reserved" not in run("ip", "link", "show") + run("systemctl", "list-units", "--all", "benito-node-*")
assert len([line for line in processes("guest=") if "qemu-system" in line]) == 2
assert "reserved" in benito("reboot", "-e", EXPERIMENT, "reserved", fails=True)

if sys.argv[2] == "begun":
    # only root can talk to QEMU, and QEMU has no privileges
    assert not [line for line in run("ss", "-Hlntup").splitlines() if "qemu" in line]
    for name in NAMES:
        folder = runtime_folder(name)
        assert os.stat(folder).st_mode & 0o777 == 0o700 and stat.S_ISSOCK(os.stat(f"{folder}/qmp").st_mode), folder
    assert_confined(*NAMES)
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(f"{runtime_folder('plain')}/qmp")
        lines = control.makefile("rw", encoding="utf-8")
        assert "QMP" in json.loads(lines.readline())
        for command in ("qmp_capabilities", "query-status"):
            lines.write(json.dumps({"execute": command}) + "\n")
            lines.flush()
            answer = json.loads(lines.readline())
        assert answer["return"]["status"] == "running", answer
    for path in glob.glob(f"/var/benito/exp/{EXPERIMENT}/secrets/*/*") + glob.glob(f"/var/benito/exp/{EXPERIMENT}/machines/*/seed.tar"):
        assert os.stat(path).st_mode & 0o777 == 0o600, path
    assert os.stat(f"/var/benito/exp/{EXPERIMENT}").st_mode & 0o777 == 0o700
    # accounts, memory
    assert login("plain", "sudo -n id -u; id -un; echo $HOME", user="tester").split() == ["0", "tester", "/home/tester"]
    assert 200_000 < int(login("wide", "echo kept > /root/mine; sync; grep MemTotal /proc/meminfo").split()[1]) < 256 << 10
    assert os.uname().nodename == HOST and "wide" not in open("/etc/hosts", encoding="utf-8").read()
    # reboot wide from inside and kill plain
    login("wide", "setsid sh -c 'sleep 1; exec reboot' > /dev/null 2>&1 < /dev/null &")
    wait("wide to go down", lambda: state("wide")["state"] == "running", 60)
    os.kill(int(unit("plain", "MainPID")), 9)
    wait("plain to be dead", lambda: state("plain")["state"] == "dead")
    assert (state("plain")["exit_code"], state("plain")["start_command"]) == (137, "lost"), state("plain")
