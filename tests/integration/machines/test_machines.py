# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments with virtual machines: several images, a machine that never boots, a swap-in that is killed while machines boot."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import support
import yaml
from cloud_image import MARK, cloud_image
from machine_state import difference
from support import EVERY_NODE, ansible, wait_until
from topologies import topdl

GIB = 1 << 30
COMMAND = "echo out of $(hostname); echo err >&2; exit 3"
LOG = "/var/benito/log/start_command"


@pytest.fixture(name="site")
def fixture_site(tmp_path):
    """Return ``site(**settings)``, which writes a site.yml and returns its path."""

    def write(**settings):
        file = tmp_path / "site.yml"
        file.write_text(yaml.safe_dump(settings))
        return str(file)

    return write


@pytest.fixture(scope="module", name="garbage")
def fixture_garbage(tmp_path_factory):
    """Return the catalogue entry of a disk that cannot boot."""
    disk = tmp_path_factory.mktemp("garbage") / "disk"
    disk.write_bytes(random.Random(1).randbytes(64 << 20))
    return {"path": str(disk), "sha256": sha256(disk), "format": "raw"}


def sha256(path):
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def status(experiment, vhost="pnode-0000"):
    """Return {node: its status as benito-host reports it}."""
    return json.loads(experiment.ssh(vhost, f"benito-host status -e {experiment.name} --json").stdout)["nodes"]


def states(experiment, vhost="pnode-0000"):
    """Return {node: its state}, empty while the experiment has no machine or its machine has no plan."""
    if not (experiment.path / "allocation.json").exists():
        return {}
    output = experiment.ssh(vhost, f"benito-host status -e {experiment.name} --json", check=False).stdout
    return {name: node["state"] for name, node in json.loads(output or "{}").get("nodes", {}).items()}


def test_one_experiment_has_nodes_with_debian_12_debian_13_and_a_users_image(pool, make, site):
    image = cloud_image(support.ROOT / ".cache" / "test-images")
    stranger = {"path": str(image), "sha256": sha256(image)}
    names = ["twelve", "thirteen", "stranger"]
    experiment = make(topdl({
        "twelve": {"on": ["lan"], "kind": "qemu", "partition": "a", "image": "debian-12", "startup": COMMAND},
        "thirteen": {"on": ["lan"], "kind": "qemu", "partition": "a", "image": "debian-13", "startup": COMMAND},
        "stranger": {"on": ["lan"], "kind": "qemu", "partition": "a", "image": "mine", "startup": COMMAND},
    }), site=site(images={"mine": stranger}, qemu_disk_mb=6144))
    run = experiment.play("swapin")
    table = {line.split()[0]: line.split() for line in run.task("Show the nodes")[0]["msg"]}
    assert {name: table[name][4] for name in names} == dict.fromkeys(names, "booted")

    assert ansible(pool, experiment, EVERY_NODE, f"for name in {' '.join(names)}; do ping -c 1 -W 10 $name >/dev/null || echo cannot reach $name; done") \
        == dict.fromkeys(names, "")
    assert ansible(pool, experiment, EVERY_NODE, "hostname") == {name: name for name in names}
    system = f". /etc/os-release; echo $ID $VERSION_ID $(cd /; ls {MARK} 2>/dev/null)"
    assert ansible(pool, experiment, EVERY_NODE, system) == {"twelve": "debian 12", "thirteen": "debian 13", "stranger": f"debian 12 {MARK}"}

    for name in names:  # by its full name; ssh knows the host key and asks nothing
        command = ["ssh", "-F", str(experiment.path / "ssh_config"), "-o", "BatchMode=yes", f"{name}.{experiment.identity['eid']}.test", "hostname"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{name}\n", "")

    wait_until("every start command's end", lambda: {node["exit_status"] for node in status(experiment).values()} == {3}, 120)
    logs = f"cat {LOG}.out {LOG}.err; grep -c 'with exit status 3' {LOG}.log"
    assert ansible(pool, experiment, EVERY_NODE, logs) == {name: f"out of {name}\nerr\n1" for name in names}

    def sizes():
        return {name: int(size) for name, size in ansible(pool, experiment, EVERY_NODE, "df --block-size=1 --output=size / | tail -n 1").items()}

    wait_until("file systems that fill the larger disks", lambda: min(sizes().values()) > 5.5 * GIB, 60)  # cloud-init may still be growing its file system
    for name in names:
        disk = f"/var/benito/exp/{experiment.name}/machines/{name}/disk.qcow2"
        found = json.loads(experiment.ssh("pnode-0000", f"qemu-img info --force-share --output=json '{disk}'").stdout)
        assert found["virtual-size"] == 6 * GIB and found["actual-size"] < GIB


def test_swap_in_names_a_machine_that_never_boots_and_shows_its_console(pool, make, site, garbage):
    testbed = pool[2]
    experiment = make(topdl({"lost": {"on": ["lan"], "kind": "qemu", "image": "garbage"}, "peer": {"on": ["lan"]}}),
                      site=site(images={"garbage": garbage}, boot_limit_s=15))
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    began = time.monotonic()
    run = experiment.play("swapin", fails=True)
    assert time.monotonic() - began < 300
    assert "Traceback" not in run.stdout
    message = "\n".join(run.failures)
    assert "qemu node lost has not booted within 15 s; the end of its console:" in message and "No bootable device." in message
    assert experiment.state["state"] == "failed" and "qemu node lost" in experiment.state["reason"]
    assert status(experiment)["lost"]["state"] == "running"

    experiment.play("swapout")
    assert experiment.state["state"] == "swapped"
    for pnode in testbed.pnodes:
        left = difference(before[pnode], testbed.state(pnode))
        assert not left, "\n".join(left)


def test_swap_out_does_not_wait_for_machines_of_a_killed_swap_in(pool, make, site, garbage):
    playbook, _home, testbed = pool
    experiment = make(topdl({
        "late": {"on": ["lan"], "kind": "qemu", "image": "debian-12"},
        "never": {"on": ["lan"], "kind": "qemu", "image": "garbage"},
        "peer": {"on": ["lan"]},
    }), site=site(images={"garbage": garbage}))
    before = {pnode: testbed.state(pnode) for pnode in testbed.pnodes}
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "playbooks/swapin.yml"]
    command += [part for key, value in experiment.identity.items() for part in ("-e", f"{key}={value}")]
    environment = {**os.environ, **playbook.environment()}
    with subprocess.Popen(command, cwd=support.ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_until("the machines to be started", lambda: states(experiment) == {"late": "running", "never": "running", "peer": "booted"}, 180)
            assert process.poll() is None
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert experiment.state["state"] == "activating"

    began = time.monotonic()
    experiment.play("swapout")
    assert time.monotonic() - began < 60, "swap-out does not wait until machines have booted"
    assert experiment.state["state"] == "swapped"

    def left():
        return [f"{pnode}: {line}" for pnode in testbed.pnodes for line in difference(before[pnode], testbed.state(pnode))]

    leaked = left()
    deadline = time.monotonic() + 120
    while leaked and time.monotonic() < deadline:  # Ansible's own processes on the pnode end with their connection, after a minute
        assert all(line.split(": ")[1] == "processes" and "python3" in line for line in leaked), "\n".join(leaked)
        time.sleep(5)
        leaked = left()
    assert not leaked, "\n".join(leaked)
