# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role vhost leaves on a host before anything is built."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.run.setup import install_secrets, remove_if_last
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed

PATHS = ExperimentPaths("Proj.exp")


@sandboxed
def test_secrets_are_for_root_alone_and_go_when_they_are_not_handed_over_again():
    install_plan(plan())
    key, other = PATHS.secret("a", "key"), PATHS.secret("b", "key")
    assert install_secrets(PATHS, {"a": {"key": "one"}, "b": {"key": "two"}}) == [f"{key}: written", f"{other}: written"]
    assert os.stat(key).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(key)).st_mode & 0o777 == 0o700
    assert install_secrets(PATHS, {"a": {"key": "one"}, "b": {"key": "two"}}) == []
    assert install_secrets(PATHS, {"a": {"key": "three"}}) == [f"{other}: removed", f"{key}: written"]
    assert Path(key).read_text() == "three" and not os.path.exists(other)


@sandboxed
def test_check_mode_says_what_would_be_written_and_writes_nothing():
    install_plan(plan())
    assert install_secrets(PATHS, {"a": {"key": "one"}}, dry_run=True) == [f"{PATHS.secret('a', 'key')}: written"]
    assert not os.path.exists(PATHS.secret("a", "key"))


@pytest.mark.parametrize(("node", "name"), [("..", "key"), ("a", "../../host.json"), ("a/b", "key"), ("", "/etc/shadow")])
def test_a_secret_never_lands_outside_the_folder_of_secrets(node, name):
    with pytest.raises(HostError, match="is not a valid path of a node's secret"):
        install_secrets(PATHS, {node: {name: "text"}})


@sandboxed
def test_a_removal_that_is_killed_leaves_no_half_of_a_program_and_the_next_one_ends_it():
    program = Path("/var/benito/lib/0123456789abcdef")
    (program / "benito_host").mkdir(parents=True)
    for name in ("benito-host", "benito_host/hostplan.py", "benito_host/errors.py"):
        (program / name).write_text("text")

    def killed(path, **_options):
        next(file for file in Path(path).rglob("*.py")).unlink()
        raise KeyboardInterrupt

    with patch("shutil.rmtree", killed), pytest.raises(KeyboardInterrupt):
        remove_if_last(PATHS)
    assert not program.exists() and list(program.parent.iterdir())
    remove_if_last(PATHS)
    assert not Path("/var/benito").exists()
