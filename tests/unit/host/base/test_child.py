# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work beside ours in a child process."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.child import in_a_child


def test_the_work_is_done_when_it_was_waited_for(tmp_path):
    with in_a_child(lambda: (tmp_path / "done").write_text("x")) as wait:
        wait()
        assert (tmp_path / "done").exists()
        wait()


def test_leaving_the_block_waits_too(tmp_path):
    with in_a_child(lambda: (tmp_path / "done").write_text("x")):
        pass
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("error", [HostError("no room"), OSError(28, "No space left on device")])
def test_what_the_child_raised_is_raised_here(error):
    def work():
        raise error

    with pytest.raises(HostError, match="no room|No space left"), in_a_child(work) as wait:
        wait()
    with pytest.raises(HostError, match="no room|No space left"), in_a_child(work):
        pass


def test_a_child_that_is_killed_is_an_error():
    def work():
        import os
        os.kill(os.getpid(), 9)

    with pytest.raises(HostError, match=r"^a process of benito-host was ended by signal 9 \(Killed\)$"), in_a_child(work):
        pass


@pytest.mark.parametrize("error", [KeyError("lan"), SystemExit("enough"), KeyboardInterrupt()])
def test_an_error_nobody_foresaw_is_told_with_its_place(error):
    def work():
        raise error

    said = rf"^unexpected error {type(error).__name__}: .*, at test_child.py:\d+$"
    with pytest.raises(HostError, match=said), in_a_child(work):
        pass


def test_a_child_that_says_nothing_is_told_with_its_status():
    def work():
        import os
        os._exit(4)

    with pytest.raises(HostError, match="^a process of benito-host ended with exit status 4 and no message$"), in_a_child(work):
        pass


def test_an_error_of_the_block_is_what_is_reported():
    def work():
        raise HostError("less important")

    with pytest.raises(KeyError), in_a_child(work):
        raise KeyError
