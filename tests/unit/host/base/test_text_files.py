# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that cannot be read has no text, and bytes that are no text do no harm."""

from __future__ import annotations

import os

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.text_files import read_end, text_or_none


@pytest.mark.parametrize(("content", "text"), [(b"two\nlines\n", "two\nlines\n"), (b"", ""), (b"\xff\n", "�\n")])
def test_the_text_of_a_file_is_read(tmp_path, content, text):
    (tmp_path / "file").write_bytes(content)
    assert text_or_none(str(tmp_path / "file")) == text


def test_a_folder_and_a_file_that_is_not_there_have_no_text(tmp_path):
    assert text_or_none(str(tmp_path)) is None and text_or_none(str(tmp_path / "none")) is None


def test_of_a_log_the_end_is_read_and_no_more(tmp_path):
    (tmp_path / "log").write_bytes(b"".join(b"line %d\n" % number for number in range(10 ** 6)))
    assert read_end(str(tmp_path / "log"), 10).endswith("line 999998\nline 999999\n") and len(read_end(str(tmp_path / "log"), 10)) == 8192
    assert len(read_end(str(tmp_path / "log"), 10 ** 9)) == 1 << 20


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/hostname", path)])
def test_what_is_no_log_is_an_error_and_is_not_waited_for(tmp_path, make):
    make(tmp_path / "log")
    with pytest.raises(OSError, match=r"not a regular file|symbolic links|Is a directory"):
        read_end(str(tmp_path / "log"), 10)
