# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads when something fails: with the callback deter.benito.progress, each failure is one message in one place."""

from __future__ import annotations

import configparser
import re
import tarfile

import pytest
import support

QUICKSTART = str(support.ROOT / "examples" / "quickstart" / "quickstart.xml")
IDENTITY = ("-e", "pid=Test", "-e", "eid=first")
UNREACHABLE = "{ansible_host: 127.0.0.9, ansible_port: 9, ansible_ssh_common_args: '-o ConnectTimeout=2'}"
BAD_TOPOLOGIES = {
    "broken.xml": ("<experiment><substrates></experiment>", "broken.xml:1: not well-formed XML"),
    "wrong.tcl": ("set ns [new Simulator]\nset a [$ns node]\nset b [$ns node]\n$ns duplex-link $a $b 10mb 1ms DropTail\n$ns bogus\n$ns run\n",
                  "wrong.tcl:4: duplex-link"),
    "none.xml": (None, "none.xml: cannot be read"),
    "lab.clab.yml": ("name: lab\ntopology: 7\n", "lab.clab.yml"),
}


@pytest.fixture(name="see")
def fixture_see(play, tmp_path):
    """Return ``see("swapin", …)``, which runs a playbook with the callback and returns its exit status and everything that it printed."""
    (tmp_path / "pool.yml").write_text(f"pnode_pool:\n  hosts:\n    bug-0: {UNREACHABLE}\n")

    def run_playbook(name, *options):
        done = play(name, *options, ANSIBLE_STDOUT_CALLBACK="deter.benito.progress")
        return done.returncode, done.stdout + done.stderr

    return run_playbook


def failed_once(seen, message):
    """Assert that a run failed, and that its output has the message once, after the recap, in plain text."""
    status, text = seen
    assert status != 0
    assert text.count(message) == 1, f"{message!r} is there {text.count(message)} times"
    assert text.count("\nfatal: ") == 1 and text.index("PLAY RECAP") < text.index("\nfatal: ") < text.index(message)
    assert all(word not in text for word in ("Origin:", "FAILED!", "UNREACHABLE!", "[ERROR]", '"msg"', "Could not match", "]: Task failed", "Action failed"))
    return True


def test_the_repository_uses_the_callback():
    configuration = configparser.ConfigParser()
    configuration.read(support.ROOT / "ansible.cfg")
    assert configuration["defaults"]["stdout_callback"] == "deter.benito.progress"


@pytest.mark.parametrize("name", ["swapin", "swapout", "terminate"])
def test_an_unknown_experiment_is_said_once(see, name):
    assert failed_once(see(name, *IDENTITY), "experiment Test/first does not exist")


def test_a_missing_variable_is_said_once(see):
    assert failed_once(see("swapin"), "which experiment? say -e pid=PROJECT -e eid=EXPERIMENT")


@pytest.mark.parametrize("name", BAD_TOPOLOGIES)
def test_each_fault_of_a_topology_is_said_once_on_a_line_of_its_own(see, tmp_path, name):
    text, message = BAD_TOPOLOGIES[name]
    if text:
        (tmp_path / name).write_text(text)
    seen = see("containerize", *IDENTITY, "-e", f"topology={name}", "-e", "packing=0")
    assert failed_once(seen, message)
    assert re.search(r"^(fatal: \[localhost\]: )?packing: 0 is less than the minimum of 1", seen[1], re.MULTILINE), "a line of its own"


def test_a_machine_that_does_not_answer_is_said_once(see):
    assert see("containerize", *IDENTITY, "-e", f"topology={QUICKSTART}", "-e", "image=false", "-e", "kind_map=qemu=process,openvz=process")[0] == 0
    seen = see("swapin", *IDENTITY)
    assert failed_once(seen, "Connection refused")
    assert "unreachable: [bug-0], and the playbook goes on (-v shows why)\n" in seen[1]


def test_an_image_that_cannot_be_had_is_said_once(see, tmp_path):
    (tmp_path / "site.yml").write_text("images: {lab: {path: /nowhere/lab.qcow2}}\ndefault_image: lab\n")
    (tmp_path / "one.tcl").write_text("set ns [new Simulator]\nset a [$ns node]\n$ns run\n")
    assert see("containerize", *IDENTITY, "-e", "topology=one.tcl", "-e", "site=site.yml", "-e", "image=false", "-e", "default_container=qemu")[0] == 0
    (tmp_path / "pool.yml").write_text("pnode_pool:\n")
    assert see("swapin", *IDENTITY)[1].count("/nowhere/lab.qcow2") == 1


def test_each_phase_of_providing_an_image_is_shown(see, tmp_path):
    (tmp_path / "root" / "sbin").mkdir(parents=True)
    (tmp_path / "root" / "sbin" / "init").write_text("#!/bin/sh\n")
    with tarfile.open(tmp_path / "lab.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "root", ".")
    (tmp_path / "site.yml").write_text(f"images: {{lab: {{path: {tmp_path}/lab.tar.gz, form: root}}}}\n")
    (tmp_path / "one.tcl").write_text("set ns [new Simulator]\nset a [$ns node]\n$ns run\n")
    settings = ("-e", "site=site.yml", "-e", "image=false", "-e", "default_container=openvz", "-e", "openvz_template=lab")
    assert see("containerize", *IDENTITY, "-e", "topology=one.tcl", *settings)[0] == 0
    (tmp_path / "mine.yml").write_text("- hosts: localhost\n  gather_facts: false\n  roles: [deter.benito.images]\n")
    status, text = see("mine.yml", *IDENTITY)
    assert status == 0
    assert "\nimage lab (root directory): fetching\n" in text and "\nimage lab (root directory): unpacking and checking\n" in text
    assert "ASYNC" not in text


def test_groups_without_hosts_are_no_warning(see, tmp_path):
    (tmp_path / "pool.yml").write_text("all:\n  hosts:\n    other:\n")
    assert see("containerize", *IDENTITY, "-e", f"topology={QUICKSTART}", "-e", "image=false", "-e", "kind_map=qemu=process,openvz=process")[0] == 0
    for name in ("swapin", "swapout", "terminate"):
        assert "WARNING" not in see(name, *IDENTITY)[1]
    status, text = see("templates")
    assert status != 0 and text.startswith("[ERROR]: the inventory group pnode_pool is empty") and "WARNING" not in text


def test_verbose_output_is_ansibles_own(see):
    _status, text = see("swapin", *IDENTITY, "-v")
    assert "Origin:" in text and 'FAILED! => {"changed": false' in text


def test_failures_that_a_playbook_handles_ignores_or_loops_over_are_shown_as_such(see, tmp_path):
    (tmp_path / "mine.yml").write_text("""
- hosts: localhost
  gather_facts: false
  tasks:
    - block:
        - block:
            - {name: Fail inside, ansible.builtin.fail: {msg: rescued}}
      rescue:
        - {name: Ignore, ansible.builtin.fail: {msg: "was ignored"}, ignore_errors: true}
    - {name: Loop, ansible.builtin.command: {argv: [sh, -c, "echo no {{ item }} >&2; exit {{ item }}"]}, loop: [0, 3, 4]}
""")
    status, text = see("mine.yml")
    assert status == 2 and text.count("fatal:") == 1
    assert "failed: [localhost], and the playbook goes on (-v shows why)" in text and "rescued\n" not in text
    assert text.count("failed: [localhost]: was ignored\n...ignoring") == 1
    assert text.count("no 3") == text.count("no 4") == 1 and text.rstrip().endswith("no 4")
