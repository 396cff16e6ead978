# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user typed reaches the shell of a node as typed, and its output and time are bounded."""

from __future__ import annotations

import re
import subprocess
import time

import pytest

from benito.errors import InputError
from benito.reach.shell_text import bounded, encoded, is_timeout, shell_text


def run(text, most=1 << 20, seconds=20):
    return subprocess.run(["/bin/sh", "-c", encoded(bounded(text, most, seconds))], capture_output=True, text=True, check=False, timeout=60)


def test_one_word_is_the_text_of_a_shell():
    assert run(shell_text(["echo one; echo two | tr a-z A-Z"])).stdout == "one\nTWO\n"


@pytest.mark.parametrize("words", [["a  b", "$HOME", "`id`", "; id", "'", '"', "\n", "{{ 1 }}", "-n", "*"]])
def test_several_words_are_a_program_and_its_arguments(words):
    assert run(shell_text(["printf", "<%s>", *words])).stdout == "".join(f"<{word}>" for word in words)


@pytest.mark.parametrize("words", [[], [""], ["a\0b"]])
def test_no_command_is_refused(words):
    with pytest.raises(InputError, match="command"):
        shell_text(words)


def test_output_and_errors_stay_apart_and_the_exit_status_is_the_commands():
    done = run("echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_a_command_that_prints_more_than_is_shown_still_ends_by_itself():
    done = run("yes | head -c 3000000; yes no | head -c 3000000 >&2; exit 4", most=1000)
    assert (done.returncode, len(done.stdout), len(done.stderr)) == (4, 1000, 1000)


def test_a_command_is_ended_after_its_time():
    began = time.monotonic()
    done = run("echo first; sleep 50", seconds=1)
    assert is_timeout(done.returncode) and done.stdout == "first\n" and time.monotonic() - began < 20


def test_a_command_reads_nothing_of_the_callers_input():
    assert run("cat; echo end").stdout == "end\n"


def test_what_ansible_gets_holds_nothing_that_it_would_interpret():
    assert re.fullmatch(r'eval "\$\(echo [A-Za-z0-9+/=]+ \| base64 -d\)"', encoded("echo '{{ a }}' x=1; executable=/bin/false"))
