# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failures of swap-in and swap-out give one clear error with host and reason, lose nothing, and swap-out always cleans up."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys

import support
import yaml
from machine_state import difference
from support import error_of, wait_until
from topologies import topdl, two_pnodes

NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=3", "benito_experiment_address": "10.254.99.99"}


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def three_partitions() -> str:
    return topdl({name: {"on": ["lan"], "partition": name} for name in ("a", "b", "c")})


def test_error_of_a_small_pool_explains_every_machine(made, testbed, more_hosts):
    more_hosts({"nobody": NOBODY})
    experiment = made(three_partitions())
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    error = error_of(experiment.play("swapin", fails=True))
    assert error.startswith("the pool is too small: the experiment needs 3 pnodes, 2 of 3 machines can be had")
    assert "test-0: free" in error and "nobody: cannot be reached" in error
    assert experiment.state["state"] == "swapped"
    assert not (experiment.path / "allocation.json").exists() and not (experiment.path / "plan").exists()
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []


def test_unreachable_machine_is_left_out_if_others_suffice(made, more_hosts):
    more_hosts({"a-nobody": NOBODY})
    experiment = made(two_pnodes())
    experiment.play("swapin")
    assert {experiment.pnode_of(vhost) for vhost in ("pnode-0000", "pnode-0001")} == {"test-0", "test-1"}


def test_unavailable_image_ends_the_swap_in_and_gives_the_machines_back(made, testbed, tmp_path):
    disk, site = tmp_path / "disk", tmp_path / "site.yml"
    disk.write_bytes(bytes(1 << 20))
    images = {"damaged": {"path": str(disk), "format": "raw", "sha256": "0" * 64}, "other": {"path": str(disk), "sha256": sha256(disk)},
              "absent": {"path": str(tmp_path / "none"), "sha256": "0" * 64}}
    site.write_text(yaml.safe_dump({"images": images}))
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    for image, words in (
        ("damaged", f"image damaged: {disk} does not have the sha256 {'0' * 64}"),
        ("other", "image other is no qcow2 disk, but its entry says format qcow2"),
        ("absent", f"image absent: {tmp_path / 'none'} cannot be read: No such file or directory"),
    ):
        experiment = made(topdl({"machine": {"kind": "qemu", "image": image}}), site=str(site))
        run = experiment.play("swapin", fails=True)
        assert words in error_of(run) and "Prepare the vhost" not in run.stdout
        assert experiment.state["state"] == "swapped" and not (experiment.path / "allocation.json").exists()
        assert words[:40] in (experiment.path / "activity.log").read_text()
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []


def test_unknown_image_creates_no_experiment(made, playbook, testbed, eid, tmp_path):
    file = tmp_path / "typo.xml"
    file.write_text(topdl({"machine": {"kind": "qemu", "image": "debian-21"}}))
    error = error_of(playbook("containerize", pid="Test", eid=eid, topology=str(file), fails=True))
    assert "there is no image 'debian-21'" in error and "debian-12, debian-13" in error
    assert "does not exist" in error_of(playbook("swapin", pid="Test", eid=eid, fails=True))


def test_nonexistent_experiment_is_reported(playbook, testbed):
    assert "experiment Test/never does not exist" in error_of(playbook("swapin", pid="Test", eid="never", fails=True))
    assert "experiment Test/never does not exist" in error_of(playbook("swapout", pid="Test", eid="never", fails=True))
    assert "'../x' is not a name" in error_of(playbook("swapin", pid="Test", eid="../x", fails=True))
    assert "say -e pid=PROJECT -e eid=EXPERIMENT" in error_of(playbook("swapin", fails=True))


def test_failing_host_fails_the_experiment_and_another_swap_in_continues(made, testbed):
    experiment = made(two_pnodes())
    stranger = testbed.pnodes[1]
    testbed.ssh(stranger, "echo another program > /usr/local/sbin/benito-host")
    try:
        error = error_of(experiment.play("swapin", fails=True))
        assert f"pnode-0001 ({stranger}): " in error and "pnode-0000" not in error
        state = experiment.state
        assert state["state"] == "failed" and "/usr/local/sbin/benito-host exists on this host and does not belong to deter.benito" in state["reason"]
        experiment.play("swapout")
        assert experiment.state["state"] == "swapped"
        assert testbed.ssh(stranger, "cat /usr/local/sbin/benito-host").stdout == "another program\n"
        experiment.play("swapin", fails=True)
    finally:
        testbed.ssh(stranger, "rm /usr/local/sbin/benito-host")
    experiment.play("swapin")
    assert experiment.state["state"] == "active"


def test_device_names_in_use_on_a_machine_are_avoided(made, testbed):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    bridge = json.loads((experiment.path / "plan" / "pnode-0001.json").read_text())["substrates"][0]["bridge"]
    experiment.play("swapout")
    testbed.ssh(testbed.pnodes[1], f"ip link add {bridge} type bridge")
    try:
        experiment.play("swapin")
        assert json.loads((experiment.path / "plan" / "pnode-0001.json").read_text())["substrates"][0]["bridge"] != bridge
        experiment.play("swapout")
        assert bridge in testbed.ssh(testbed.pnodes[1], "ip -br link").stdout
    finally:
        testbed.ssh(testbed.pnodes[1], f"ip link delete {bridge}")


def test_host_lost_while_active_fails_swap_in_and_swap_out_until_it_returns(made, testbed):
    experiment = made(two_pnodes())
    experiment.play("swapin")
    lost = experiment.pnode_of("pnode-0000")
    table = "inet benito_test_block"
    again = f"systemd-run -q --on-active=150 --timer-property=AccuracySec=1s nft delete table {table}"
    chain = f"nft add table {table}; nft 'add chain {table} i {{ type filter hook input priority -300; }}'"
    block = f"{chain}; {again}; nft add rule {table} i tcp dport 22 drop"
    testbed.ssh(lost, f"setsid sh -c {shlex.quote('sleep 0.3; ' + block)} >/dev/null 2>&1 </dev/null &")

    def reachable():
        return testbed.ssh(lost, "true", check=False).returncode == 0

    wait_until("the pnode to be cut off", lambda: not reachable())
    error = error_of(experiment.play("swapin", fails=True))
    assert "machines that already carry this experiment cannot be reached" in error and lost in error
    assert experiment.state["state"] == "active"  # the nodes still run; nothing was changed
    error = error_of(experiment.play("swapout", fails=True))
    assert f"pnode-0000 ({lost}): " in error
    assert experiment.state["state"] == "failed"
    assert list(json.loads((experiment.path / "allocation.json").read_text())["hosts"]) == ["pnode-0000"]
    wait_until("the pnode to be reachable again", reachable, 200)
    experiment.play("swapout")
    assert experiment.state["state"] == "swapped"
    assert testbed.ssh(lost, "ls -A /var/benito", check=False).stdout == ""


def test_swap_out_removes_everything_of_a_killed_swap_in(made, testbed, playbook):
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    experiment = made(two_pnodes())
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "playbooks/swapin.yml", "-v"]  # -v names each task
    command += [part for key, value in experiment.identity.items() for part in ("-e", f"{key}={value}")]
    environment = {**os.environ, **playbook.environment(), "PYTHONUNBUFFERED": "1"}
    for last in ("Build bridges and tunnels", "Build the process vnodes"):
        process = subprocess.Popen(command, cwd=support.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        for line in process.stdout:
            if last in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert experiment.state["state"] == "activating"
        experiment.play("swapout")
        assert experiment.state["state"] == "swapped"
        for pnode in testbed.pnodes:
            left = difference(before[pnode], testbed.state(pnode))
            assert not left, "\n".join(left)
    subprocess.run(command, cwd=support.ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    assert experiment.state["state"] == "active"


def lease_of(experiment):
    """Return (whether others may share its machine, whether it has processes on it, reserved MiB)."""
    lease = json.loads(experiment.ssh("pnode-0000", f"cat /var/benito/leases/{experiment.name}.json").stdout)
    return lease["shared"], lease["processes"], lease["memory_mb"]


def test_experiments_share_a_machine_only_if_it_allows_sharing(made, testbed, more_hosts):
    first, second = made(topdl({"a": {}})), made(topdl({"b": {}, "c": {}}), packing=1)
    first.play("swapin")
    error = error_of(second.play("swapin", fails=True))
    assert f"{first.pnode_of('pnode-0000')}: leased by {first.name} of " in error
    more_hosts({pnode: {"pnode_shared": True} for pnode in testbed.pnodes})
    first.play("swapout")
    assert second.play("swapin", check=True).changed > 0, "check mode reports changes on a machine without benito-host"
    first.play("swapin")
    assert second.play("swapin", check=True).changed > 0, "check mode reports changes on a machine with benito-host but without this experiment"
    second.play("swapin")
    shared = first.pnode_of("pnode-0000")
    metal = made(topdl({"metal": {"kind": "embedded_pnode"}}))
    error = error_of(metal.play("swapin", fails=True))
    assert error.startswith("no machine of the pool has room for pnode-0000, which carries 1 vnode\n")
    assert error.count("; pnode-0000 is a node itself, and shares its machine with nobody") == 2 and metal.state["state"] == "swapped"
    assert lease_of(first) == (True, True, 1)
    assert shared in {second.pnode_of("pnode-0000"), second.pnode_of("pnode-0001")}
    first.play("swapout")
    assert second.play("swapin").changed == 0
    second.play("swapout")
    assert testbed.ssh(shared, "ls -A /var/benito", check=False).stdout == ""
    metal.play("swapin")
    assert lease_of(metal) == (False, False, 0)


def test_full_disk_on_a_pnode_is_one_clear_error(made, testbed):
    experiment = made(two_pnodes())
    for pnode in testbed.pnodes:
        testbed.ssh(pnode, "mkdir -p /var/benito && mount -t tmpfs -o size=64k benito-test /var/benito")
    try:
        error = error_of(experiment.play("swapin", fails=True))
        assert "No space left on device" in error
        experiment.play("swapout")
        assert experiment.state["state"] == "swapped"
    finally:
        for pnode in testbed.pnodes:
            testbed.ssh(pnode, "umount /var/benito")


def test_virtual_machines_too_large_for_the_pool_are_refused_before_anything_is_leased(made, testbed, more_hosts, run):
    image = testbed.inventory.parent.parent / "tiny.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", str(image), "1M")
    digest = run("sha256sum", str(image)).split()[0]
    more_hosts({testbed.pnodes[0]: {"pnode_memory_mb": 2000}})
    experiment = made(topdl({"small": {"on": ["lan"]}, "large": {"on": ["lan"], "kind": "qemu", "image": "tiny"}}), qemu_memory_mb=4000000,
                      images={"tiny": {"path": str(image), "sha256": digest}})
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    error = error_of(experiment.play("swapin", fails=True)).splitlines()
    assert error[0] == ("no machine of the pool has room for pnode-0000, which carries 2 vnodes and needs 4,000,161 MiB: "
                        "1 qemu of 4,000,000 and 160 for each QEMU, 1 process of 1")
    assert error[1] == f"  {testbed.pnodes[0]}: has 1,488 MiB for nodes (2,000, less 512 for itself)"
    total = int(testbed.ssh(testbed.pnodes[1], "grep MemTotal: /proc/meminfo").stdout.split()[1]) // 1024
    assert error[2] == f"  {testbed.pnodes[1]}: has {total - 512:,} MiB for nodes ({total:,}, less 512 for itself)"
    assert experiment.state["state"] == "swapped"
    assert not (experiment.path / "allocation.json").exists() and not (experiment.path / "plan").exists()
    for pnode in testbed.pnodes:
        assert difference(before[pnode], testbed.state(pnode)) == []
