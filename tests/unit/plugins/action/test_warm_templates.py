# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm templates are listed and removed on a host that has nothing of ours; they are begun by the benito-host of one that has."""

from __future__ import annotations

import json
import os

import pytest
from ansible.errors import AnsibleError
from ansible_collections.deter.benito.plugins.plugin_utils import host_action

KEY = "a" * 32
LINE = f"debian-12 with 256 MiB and 1 processors under tcg: 1 MiB on the disk, a clone takes 40 MiB; last cloned 2001-09-09 01:46 UTC ({KEY})"
REMOVED = f"template of debian-12 with 256 MiB ({KEY}, 1 MiB): removed"


@pytest.fixture(name="template")
def fixture_template(vhost):
    """One template on the host."""
    folder = vhost / "var/cache/benito/templates" / KEY
    folder.mkdir(parents=True)
    for name in ("memory", "state", "disk.qcow2"):
        (folder / name).write_bytes(name.encode())
    words = {"image_name": "debian-12", "memory_mb": 256, "cpus": 1, "acceleration": "tcg"}
    (folder / "template.json").write_text(json.dumps({"fingerprint": words, "files": {}, "private_mb": 40}))
    os.utime(folder / "template.json", (1e9, 1e9))
    return folder


@pytest.fixture(name="program")
def fixture_program(tmp_path, monkeypatch):
    """The path of benito-host on the vhost, where it is not installed."""
    path = tmp_path / "benito-host"
    monkeypatch.setattr(host_action.HostAction, "program", str(path))
    return path


@pytest.fixture(name="installed")
def fixture_installed(program):
    """Stands for benito-host: says with what it was run."""
    program.write_text("""#!/bin/sh\necho "{\\"changed\\": true, \\"changes\\": [\\"$*\\"]}"\n""")
    program.chmod(0o755)


def test_those_that_are_here_are_listed_and_stay(run, template):
    done = run("warm_templates")
    assert (done["changed"], done["changes"], done["table"]) == (False, [], [LINE])
    assert [(found["key"], found["private_mb"]) for found in done["templates"]] == [(KEY, 40)]


def test_where_none_is_the_table_says_so(run):
    assert run("warm_templates")["table"] == ["there is no warm template on this host"]


def test_what_is_over_the_limit_is_removed_and_in_check_mode_only_named(run, template):
    told = run("warm_templates", check_mode=True, limit_mb=0)
    assert (told["changed"], told["changes"], told["table"]) == (True, [REMOVED], [LINE])
    done = run("warm_templates", limit_mb=0)
    assert (done["changed"], done["changes"], done["templates"], done["diff"]["after"]) == (True, [REMOVED], [], f"{REMOVED}\n")
    assert not template.exists()


def test_those_of_an_experiment_are_begun_after_what_is_over_the_limit_has_gone(run, template, installed):
    done = run("warm_templates", pid="P", eid="e", limit_mb=0)
    assert (done["changed"], done["changes"]) == (True, [REMOVED, "make-templates --begin -e P.e --json"])
    assert done["table"] == ["there is no warm template on this host"]


def test_check_mode_begins_nothing_where_benito_host_is_not_installed(run, program):
    assert run("warm_templates", check_mode=True, pid="P", eid="e")["changes"] == [f"make-templates: everything, on a host without {program} yet"]


def test_check_mode_begins_nothing_where_nothing_of_the_experiment_is_there(run, installed):
    assert run("warm_templates", check_mode=True, pid="P", eid="e")["changes"] == ["make-templates: everything, on a host without P.e yet"]


def test_without_benito_host_an_experiments_fail_and_say_why(run, program):
    done = run("warm_templates", pid="P", eid="e")
    assert done["failed"] and done["msg"] == f"{program} is not installed on this host: the role deter.benito.vhost installs it"


def test_no_task_names_the_program_that_acts(run):
    with pytest.raises(AnsibleError, match="Unsupported parameters.*program"):
        run("vhost_status", pid="P", eid="e", program="/bin/sh")


def test_half_of_an_experiments_name_or_a_wrong_one_is_refused(run):
    with pytest.raises(AnsibleError, match="required together: pid, eid"):
        run("warm_templates", pid="P")
    assert run("warm_templates", pid="P", eid="../e")["msg"].startswith("'P.../e' does not name an experiment (pid and eid: a letter,")


def test_other_actions_still_need_one(run):
    with pytest.raises(AnsibleError, match="missing required arguments: eid, pid"):
        run("virtual_machines")
