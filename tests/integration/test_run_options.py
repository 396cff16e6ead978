# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of ansible-playbook that would leave out hosts or tasks, and misspelt variables, are refused before anything is done.

The playbooks run as users run them, without the ansible.cfg of the repository. The pool's machines do not exist.
"""

from __future__ import annotations

import json

import pytest
import support

QUICKSTART = str(support.ROOT / "examples" / "quickstart" / "quickstart.xml")
PLAYBOOKS = sorted(path.stem for path in support.ROOT.glob("playbooks/*.yml"))
POOL = "pnode_pool:\n  hosts:\n    bug-0: {ansible_connection: local, ansible_python_interpreter: /nowhere}\n    bug-1: {ansible_connection: local}\n"
IDENTITY = ("-e", "pid=Test", "-e", "eid=first")


@pytest.fixture(autouse=True)
def _pool(tmp_path):
    (tmp_path / "pool.yml").write_text(POOL)


def refused(done, *messages):
    """Assert that a run was refused with these messages, in plain text, before any play began."""
    assert done.returncode != 0
    assert all(message in done.stderr for message in messages), done.stderr
    assert "PLAY" not in done.stdout and "Origin" not in done.stderr and "Traceback" not in done.stderr
    return True


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_playbook_refuses_every_option_that_leaves_out_something(play, tmp_path, name):
    options = {"--limit": "bug-0" if name != "templates" else "other", "--tags": "some", "--start-at-task": "Show*"}
    (tmp_path / "pool.yml").write_text(f"{POOL}other:\n  hosts: {{other-0: }}\n")
    done = play(name, *(word for option in options.items() for word in option), "--step", "-e", "topolgy=x", "-e", "forget_unreachabl=1")
    called = " but " + name + " runs only as a whole: run it without this option"
    assert refused(done, f"--limit {options['--limit']} leaves", "--tags some (or ANSIBLE_RUN_TAGS, or [tags] of ansible.cfg) leaves out every task,",
                   "--start-at-task 'Show*' leaves out the tasks before it,", "--step may leave out tasks,")
    assert done.stderr.count(called) == 4
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("options, variables", [
    (("--limit", "bug-0"), {}), (("--limit", "all"), {}), (("--limit", "all:!bug-1"), {}), (("--limit", "pnode-0000"), {}),
    (("--limit", "localhost,bug-0"), {}),
    (("--tags", "none"), {}), (("--skip-tags", "untagged"), {}), (("--start-at-task", "Finish*"), {}), (("--step",), {}),
    ((), {"ANSIBLE_RUN_TAGS": "none"}), ((), {"ANSIBLE_SKIP_TAGS": "all"}),
], ids=str)
def test_swap_in_and_swap_out_leave_the_experiment_alone_when_an_option_is_refused(play, tmp_path, options, variables):
    """Before, most of these exited with status 0 and did nothing, or left the experiment activating."""
    (tmp_path / "pool.yml").write_text(f"{POOL}other:\n  hosts: {{pnode-0000: }}\n")
    assert play("containerize", *IDENTITY, "-e", f"topology={QUICKSTART}", "-e", "image=false").returncode == 0
    state = tmp_path / "home" / "proj" / "Test" / "exp" / "first" / "state.json"
    before = state.read_text()
    for name in ("swapin", "swapout"):
        assert refused(play(name, *IDENTITY, *options, **variables), f"{name} runs only as a whole")
    assert state.read_text() == before and json.loads(before)["state"] == "swapped"


def test_options_that_leave_out_nothing_pass(play):
    for options in (("--limit", "all:localhost"), ("--tags", "all"), ("--tags", "untagged"), ("--skip-tags", "slow")):
        done = play("swapout", *IDENTITY, *options)
        assert "experiment Test/first does not exist" in done.stdout + done.stderr, options
    assert play("convert", "--limit", "localhost,bug-1", "-e", f"topology={QUICKSTART}", "-e", "out=first.tcl").returncode == 0
    assert play("templates", "--limit", "bug-1", "--list-hosts").returncode == 0


def test_tasks_keep_their_order_when_another_strategy_is_the_default(play, tmp_path):
    """A strategy that does not exist shows that none but the playbook's own is used."""
    assert play("convert", "-e", f"topology={QUICKSTART}", "-e", "out=first.tcl", ANSIBLE_STRATEGY="nonexistent").returncode == 0
    assert (tmp_path / "first.tcl").exists()


def test_a_playbook_of_the_users_own_may_have_tags_and_variables_but_no_limit(play, tmp_path):
    (tmp_path / "mine.yml").write_text(
        "- import_playbook: deter.benito.convert\n  tags: make\n- hosts: localhost\n  gather_facts: false\n"
        "  tasks:\n    - name: Measure\n      debug: {msg: measured}\n      tags: measure\n"
    )
    measured = play("mine.yml", "--tags", "measure")
    assert measured.returncode == 0 and "measured" in measured.stdout
    made = play("mine.yml", "--tags", "make", "-e", f"topology={QUICKSTART}", "-e", "out=first.tcl", "-e", "fource=true")
    assert made.returncode == 0 and (tmp_path / "first.tcl").exists() and "measured" not in made.stdout
    assert "fource: convert has no such variable (perhaps force)" in made.stderr
    assert refused(play("mine.yml", "--limit", "bug-0"), "--limit bug-0 leaves out localhost, but convert runs only as a whole")


def test_a_misspelt_variable_is_an_error_and_creates_nothing(play, tmp_path):
    (tmp_path / "more.yml").write_text("defualt_container: process\nmy_lab: 7\n")
    done = play("containerize", *IDENTITY, "-e", f"topology={QUICKSTART}", "-e", "paking=3", "-e", "@more.yml")
    assert refused(done, "paking: containerize has no such variable (perhaps packing)", "defualt_container: containerize has no such variable (perhaps ")
    assert "my_lab" not in done.stderr and not (tmp_path / "home").exists()


def test_a_variable_of_another_playbook_is_a_warning_and_one_of_the_inventory_is_nothing(play, tmp_path):
    (tmp_path / "pool.yml").write_text(f"{POOL}  vars: {{paking: 3, packing: 3}}\nall:\n  vars: {{topolgy: x}}\n")
    done = play("swapout", *IDENTITY, "-e", "topology=lab.xml", "-e", "my_lab=7")
    assert "topology: swapout ignores this variable (containerize or " in done.stderr
    assert all(word not in done.stderr for word in ("my_lab", "paking", "packing", "topolgy"))
