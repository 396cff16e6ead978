# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the isolation, repair and processes of process nodes. Run on a pnode by shared/tasks/script.yml."""

import json
import os

from node import EXPERIMENT, HOST, PLAN, UNIT, benito, node, nodes, processes, reach, run, wait

mine = nodes()
first, host_hosts = mine[0], open("/etc/hosts", encoding="utf-8").read()

# each node has its own names and network, and the files of its host
for name in mine:
    assert node(name, "hostname") == name
    vnode = next(v for v in PLAN["vnodes"] if v["name"] == name)
    wanted = sorted([i["name"] for i in vnode["interfaces"]] + ["lo"])
    assert sorted(os.path.basename(p) for p in node(name, "ls /sys/class/net").split()) == wanted
    assert node(name, "cat /proc/sys/net/ipv4/ip_forward") == str(int(len(wanted) > 2)), name
    assert node(name, "cat /var/benito/pid /var/benito/eid").split() == EXPERIMENT.split(".")
    assert set("abcd") <= set(node(name, "cat /etc/hosts").split())
    assert "default" not in node(name, "ip route"), "no route to the control network"
    assert node(name, "ls /var/benito").split() == ["eid", "hosts", "log", "pid"]
    assert node(name, "md5sum < /etc/passwd") == run("sh", "-c", "md5sum < /etc/passwd").strip()
for name in mine:
    reach(name, *"abcd")
assert os.uname().nodename == HOST and open("/etc/hosts", encoding="utf-8").read() == host_hosts

# no process runs for a node: the supervisor is the only process of the unit
cgroup = json.load(open(f"/run/benito/exp/{EXPERIMENT}/supervisor.json", encoding="utf-8"))["cgroup"]
wait("the supervisor to be the only process", lambda: len(run("find", cgroup, "-name", "cgroup.procs", "-exec", "cat", "{}", "+").split()) == 1)

# mounts and unmounts of the host appear in the nodes; those of a node appear nowhere else
os.makedirs("/mnt/benito-test", exist_ok=True)
run("mount", "-t", "tmpfs", "benito-test", "/mnt/benito-test")
try:
    open("/mnt/benito-test/seen", "w", encoding="ascii").close()
    node(first, "test -e /mnt/benito-test/seen")
    node(first, "mount -t tmpfs inner /mnt/benito-test && test ! -e /mnt/benito-test/seen")
    assert os.path.exists("/mnt/benito-test/seen")
    node(first, "umount /mnt/benito-test")
finally:
    run("umount", "/mnt/benito-test")
assert "benito-test" not in node(first, "cat /proc/self/mountinfo")
os.rmdir("/mnt/benito-test")

# when the host replaces its /etc/hosts, the nodes keep theirs, even if the supervisor and benito-host apply repair it at the same time
for again in range(4):
    with open("/etc/hosts.new", "w", encoding="utf-8") as stream:
        stream.write(host_hosts + "192.0.2.77 of-the-host\n")
    os.rename("/etc/hosts.new", "/etc/hosts")
    if again % 2:
        benito("apply", "-e", EXPERIMENT, "--part", "processes")
    wait("the node's own hosts file", lambda: all("of-the-host" not in node(n, "cat /etc/hosts") and " d" in node(n, "cat /etc/hosts") for n in mine))
with open("/etc/hosts.new", "w", encoding="utf-8") as stream:
    stream.write(host_hosts)
os.rename("/etc/hosts.new", "/etc/hosts")
wait("the node's own hosts file", lambda: " d" in node(first, "cat /etc/hosts"))
wait("apply to change nothing", lambda: benito("apply", "-e", EXPERIMENT)["changes"] == [])
for name in mine:
    assert node(name, "grep -c ' /etc/hosts ' /proc/self/mountinfo") == "1", "mounted once"

# repair restores what is missing, and nothing else
address = next(v for v in PLAN["vnodes"] if v["name"] == first)["interfaces"][0]["ip4_address"]
for damage, expected in (
    ("ip link delete inf000", ["interface inf000 made", "interface inf000 set up", "route"]),
    (f"ip address delete {address} dev inf000", ["interface inf000 set up", "route"]),
    ("umount /etc/hosts", ["/etc/hosts is the node's own again"]),
):
    node(first, damage)
    changes = benito("apply", "-e", EXPERIMENT, "--part", "processes")["changes"]
    assert changes and all(c.startswith(f"{first}: ") and any(text in c for text in expected) for c in changes), changes
    assert benito("apply", "-e", EXPERIMENT)["changes"] == []
for name in mine:
    for route in next(v for v in PLAN["vnodes"] if v["name"] == name).get("routes", [])[:1]:
        node(name, f"ip route delete {route['to']}")
        assert benito("apply", "-e", EXPERIMENT)["changes"] == [f"{name}: route to {route['to']} via {route['via']}"]
reach(first, *"abcd")

# when the supervisor is killed, systemd restarts it and the nodes stay
main = run("systemctl", "show", "--value", "--property=MainPID", UNIT).strip()
node(first, "ip address add 10.200.0.1/32 dev lo")
os.kill(int(main), 9)
wait("another supervisor", lambda: run("systemctl", "show", "--value", "--property=MainPID,ActiveState", UNIT).split() not in ([main, "active"], [])
     and "ActiveState=active" in run("systemctl", "show", UNIT) and f"MainPID={main}\n" not in run("systemctl", "show", UNIT))
assert "10.200.0.1" in node(first, "ip address")
assert benito("apply", "-e", EXPERIMENT)["changes"] == []

# start processes that try to outlive their node; removing the experiment must stop them
for command in ("setsid sleep 54321", "nohup sleep 54322", "(sleep 54323 &)", "setsid sh -c 'trap \"\" TERM HUP; sleep 54324 & wait'"):
    node(first, f"{command} >/dev/null 2>&1 </dev/null &")
wait("the processes to run", lambda: len(processes("sleep 5432")) >= 4)

# errors are a message, never a traceback
for arguments in (["status", "-e", "../../etc"], ["enter", "-e", "a/b", "n"], ["enter", "nobody"], ["apply", "-e", "No.such"], ["probe", "-e", ""],
                  ["enter", first, "--", "/no/such/program"], ["nonsense"], ["apply", "--part", "x"], []):
    output = run("benito-host", *arguments, fails=True)
    assert "Traceback" not in output and output.strip(), (arguments, output)
