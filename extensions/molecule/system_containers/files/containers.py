# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the system containers box and other, beside a ghost and a process. Run on the pnode by shared/tasks/script.yml.

Argument: what was done before, a key of BOOTS.
"""

import glob
import os
import re
import sys

from node import EXPERIMENT, HOST, benito, login, node, planned, processes, run, state, steady, wait

# how often box and other have booted
BOOTS = {"begun": (1, 1), "restarted": (2, 2), "rebooted": (2, 3), "returned": (3, 4)}[sys.argv[2]]
FIRST_ID = 100000


def unit(name, prop):
    return run("systemctl", "show", "--value", f"--property={prop}", f"benito-node-{EXPERIMENT}:{name}.service").strip()


def init(name):
    """Return the process id of the node's init on this host."""
    main = unit(name, "MainPID")
    return open(f"/proc/{main}/task/{main}/children", encoding="ascii").read().split()[0]


wait("both to boot", lambda: all(state(name)["state"] == "booted" for name in ("box", "other")), 120)
wait("the end of box's start command", lambda: state("box")["start_command"] == "ended", 60)
wait("the start of other's start command", lambda: state("other")["start_command"] == "running", 60)

# the nodes keep key, name, machine id, addresses and disk over restarts; the start command runs once in each boot
log, out = (f"cat /var/benito/log/start_command.{end}" for end in ("log", "out"))
other_log, other_out = steady("other", log, out)
box_log, box_out, box_err, mine = steady("box", log, out, "cat /var/benito/log/start_command.err", "cat /root/mine || true")
assert (box_log.count("started"), other_log.count("started")) == BOOTS, (box_log, other_log)
assert (box_out, box_err) == ("box as tester, ' and ☃", " ".join([*EXPERIMENT.split("."), "box"])), (box_out, box_err)
assert re.search("started .* as tester: echo .*\nping .*\nended .* with exit status 3$", box_log, re.DOTALL), box_log
assert state("box")["exit_status"] == 3, state("box")
assert mine == ("" if sys.argv[2] == "begun" else "kept"), mine
assert other_out == "begun" and [line for line in processes("sleep 65431") if line.startswith("sleep")] == ["sleep 65431 "]
for name in ("box", "other"):
    login(name, "for other in box other peer; do ping -c1 -W5 $other; done; ping -c1 -W5 -s 1472 -M do peer")
    node("peer", f"ping -c1 -W5 {name}")
assert benito("apply", "-e", EXPERIMENT)["changes"] == []

# a ghost has addresses and names, and nothing else
assert state("reserved") == {"kind": "openvz", "state": "ghost", "exit_code": None, "start_command": "", "exit_status": None}
address = planned("reserved")["interfaces"][0]["ip4_address"].split("/")[0]
for lookup in (login("box", "getent hosts reserved"), node("peer", "getent hosts reserved")):
    assert lookup.split()[0] == address, lookup
node("peer", f"ping -c1 -W1 {address}", fails=True)
assert "reserved" not in run("ip", "link", "show") + run("systemctl", "list-units", "--all", "benito-node-*")
assert "reserved" in benito("reboot", "-e", EXPERIMENT, "reserved", fails=True)

if sys.argv[2] == "begun":
    # root in the container is an unprivileged user of the host
    assert login("box", "cat /proc/self/uid_map").split() == ["0", str(FIRST_ID), "65536"]
    assert os.stat(f"/proc/{init('box')}").st_uid == FIRST_ID
    for folder in glob.glob(f"/var/benito/exp/{EXPERIMENT}/secrets") + [f"/var/benito/exp/{EXPERIMENT}/containers"]:
        assert os.stat(folder).st_mode & 0o777 == 0o700, folder
    for path in glob.glob(f"/var/benito/exp/{EXPERIMENT}/secrets/*/*"):
        assert os.stat(path).st_mode & 0o777 == 0o600, path
    # the container has few devices and cannot make others
    listed = login("box", "cd /dev; for file in $(find .); do [ ! -b $file ] && [ ! -c $file ] || echo $file; done | grep -v ^./pts/").split()
    assert sorted(listed) == [f"./{name}" for name in ("console", "full", "null", "ptmx", "random", "tty", "urandom", "zero")], listed
    login("box", "mknod /dev/disk b 7 0", fails=True)
    login("box", "mount -t proc proc /mnt && umount /mnt && ! mount -t devtmpfs none /mnt")
    if os.path.isdir("/sys/fs/cgroup/devices"):  # only version 1 of control groups shows the rules
        (allowed,) = glob.glob(f"/sys/fs/cgroup/devices/**/benito-node-{EXPERIMENT}:box/payload/devices.list", recursive=True)
        lines = open(allowed, encoding="ascii").read().splitlines()
        assert lines and all(line.startswith(("c 1:", "c 5:", "c 136:")) for line in lines), lines
    # the node cannot change a kernel setting of this host
    login("box", "echo 1 > /proc/sys/kernel/sysrq", fails=True)
    # its disk is limited, and it survives when the disk is full
    output = login("box", "dd if=/dev/zero of=/root/big bs=1M count=100", fails=True)
    assert "No space left on device" in output, output
    assert int(login("box", "stat -c %s /root/big")) < 64 << 20
    login("box", "rm /root/big; echo kept > /root/mine; sync")
    # its memory is limited, where this host can limit it
    assert unit("box", "MemoryMax") == str(192 << 20), unit("box", "MemoryMax")
    if os.path.isdir("/sys/fs/cgroup/memory") or "memory" in open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii").read():
        login("box", "exec python3 -c 'print(len(bytearray(400 << 20)))'", fails=True)
        assert state("box")["state"] == "booted", state("box")
    # accounts
    assert login("box", "sudo -n id -u; id -un; echo $HOME", user="tester").split() == ["0", "tester", "/home/tester"]
    assert login("box", "cat /etc/shadow | grep -c '^root:[*!]'") == "1"
    # nothing listens for the containers on this host
    assert not [line for line in run("ss", "-Hlntup").splitlines() if "lxc" in line]
    assert os.uname().nodename == HOST and "box" not in open("/etc/hosts", encoding="utf-8").read()
    # reboot box from inside and kill other
    login("box", "setsid sh -c 'sleep 1; exec reboot' > /dev/null 2>&1 < /dev/null &")
    wait("box to go down", lambda: state("box")["state"] == "running", 30)
    os.kill(int(init("other")), 9)
    wait("other to be dead", lambda: state("other")["state"] == "dead")
    assert (state("other")["exit_code"], state("other")["start_command"]) == (137, "lost"), state("other")
    assert not processes("sleep 65431")
