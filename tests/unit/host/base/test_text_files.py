# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that cannot be read has no text, and bytes that are no text do no harm."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.host.base.text_files import text_or_none


@pytest.mark.parametrize(("content", "text"), [(b"two\nlines\n", "two\nlines\n"), (b"", ""), (b"\xff\n", "�\n")])
def test_the_text_of_a_file_is_read(tmp_path, content, text):
    (tmp_path / "file").write_bytes(content)
    assert text_or_none(str(tmp_path / "file")) == text


def test_a_folder_and_a_file_that_is_not_there_have_no_text(tmp_path):
    assert text_or_none(str(tmp_path)) is None and text_or_none(str(tmp_path / "none")) is None
