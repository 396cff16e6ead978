# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that clones of one template share no secret and look the same after a cold boot. Run on the pnode by shared/tasks/script.yml.

Argument: how the nodes were started, warm or cold.
"""

import json
import os
import re
import sys
import time

from node import EXPERIMENT, assert_confined, benito, login, planned, processes, run, state, steady, wait

NAMES, START, KEPT = ("one", "two"), sys.argv[2], "/root/molecule/seen.json"
INSIDE = {
    "accounts": "getent passwd; ls -la /home/tester/.ssh | cut -d' ' -f1,3,4,5",
    "services": "systemctl list-units --plain --no-legend --type=service --state=active | cut -d' ' -f1 | sort; systemctl list-units --failed --no-legend",
    "files": "cd /; find etc var/benito root -xdev -type f ! -path '*/log/*' ! -name resolv.conf | sort | xargs sha256sum",
    "network": "ip -details -br link; systemctl is-active benito-network; cat /proc/sys/net/ipv4/ip_forward; ip -4 route | sort; ss -Hlnt | sort",
    "cards": "for name in /sys/class/net/*; do readlink $name; udevadm info -q property $name | grep -v USEC_INITIALIZED | sort; done",
    "hardware": "cat /proc/cmdline; ls /sys/bus/pci/devices; nproc; grep MemTotal /proc/meminfo; grep 'model name' /proc/cpuinfo; lsmod | cut -d' ' -f1 | sort",
    "mounts": "findmnt --noheadings --list -o TARGET,FSTYPE,OPTIONS | grep -vE '/proc/sys/kernel/random/boot_id|/run/benito-proc' | sort",
    "containers": "unshare --user --map-root-user --mount --pid --fork --mount-proc sh -c 'echo $$' 2>&1",
    "journal": "journalctl -b -o json -n 1 -u ssh | grep -o '\"_MACHINE_ID\":\"[^\"]*\"'; ls /run/log/journal",
}


def pid(name):
    return int(run("systemctl", "show", "--value", "--property=MainPID", f"benito-node-{EXPERIMENT}:{name}.service"))


def inside(name):
    """Return the node as seen from inside: {aspect of INSIDE: text}."""
    return dict(zip(INSIDE, steady(name, *INSIDE.values())))


wait("both to boot", lambda: all(state(name)["state"] == "booted" for name in NAMES), 400)
wait("the end of their start commands", lambda: all(state(name)["start_command"] == "ended" for name in NAMES), 120)
for name in NAMES:
    command = open(f"/proc/{pid(name)}/cmdline", encoding="utf-8").read().split("\0")
    assert ("-incoming" in command) == (START == "warm"), command
    assert not os.path.exists(f"/run/benito/vm/{planned(name)['control']['port']}/unfinished") and state(name)["exit_status"] == 0, state(name)
assert_confined(*NAMES)
(template,) = benito("templates")["templates"]
assert 10 < template["private_mb"] < 256 + 160, template

# wait until the nodes have done what they put off until after the boot
for name in NAMES:
    wait(f"the journal of {name}", lambda name=name: login(name, "ls /run/log/journal").strip() == login(name, "cat /etc/machine-id").strip(), 90)
    login(name, "udevadm settle")
    wait(f"the end of the unit that made {name} a node", lambda name=name: "benito-template" not in login(name, "systemctl list-units --plain --no-legend"), 60)
now = {name: inside(name) for name in NAMES}
if START == "warm":
    damaged = float(open("/root/damaged", encoding="ascii").read())
    assert damaged < os.stat(f"/var/cache/benito/templates/{template['key']}/disk.qcow2").st_mtime, "the damaged template was replaced"
    outputs = [login(name, "cat /var/benito/log/start_command.out").splitlines() for name in NAMES]
    assert len({line for output in outputs for line in output}) == 7, f"randomness and boot ids are each node's own, both reached the other: {outputs}"
    assert all(output[-1] == "reached" for output in outputs), outputs
    for name in NAMES:
        earliest = time.time()
        clock = float(login(name, "date +%s.%N"))
        assert earliest - 1 < clock < time.time() + 1, (earliest, clock)
        assert not login(name, "ls /etc/systemd/system/benito-template.service /var/benito/lib/clone_agent.py 2> /dev/null || true")
        assert re.search("Proj|Molecule", login(name, "cat /var/benito/pid"))
    with open(KEPT, "w", encoding="utf-8") as stream:
        json.dump(now, stream)
else:
    with open(KEPT, encoding="utf-8") as stream:
        before = json.load(stream)
    for name in NAMES:
        for what, text in before[name].items():
            assert now[name][what] == text, f"{name}, {what}: warm\n{text}\ncold\n{now[name][what]}"
assert benito("apply", "-e", EXPERIMENT)["changes"] == []
assert len([line for line in processes("guest=") if "qemu-system" in line]) == 2
