# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The original's site.conf in our terms: what is taken over, what is left out with a word, what is no such file."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.settings.site_conf import read_site_conf
from ansible_collections.deter.benito.plugins.module_utils.settings.site_settings import load_site
from hypothesis import given
from hypothesis import strategies as st

DETER = """\
[containers]
# what the testbed had
maverick_url = http://scp.example.net/containers/pangolinbz.img.bz2
url_base = http://www.example.net/
qemu_host_hw = pc2133,bpc2133,MicroCloud
xmlrpc_server = boss.example.net:3069
qemu_host_os = Ubuntu1604-STD
exec_root = /share/containers
openvz_guest_url = %(exec_root)s/images/ubuntu-10.04-x86.tar.gz
switch_shaping = true
colour: green
"""


@pytest.fixture(name="read")
def fixture_read(tmp_path):
    """``read(text)``: (settings, warnings as texts)."""

    def read(text):
        path = tmp_path / "site.conf"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        settings, warnings = read_site_conf(str(path), "site.conf")
        return settings, [str(warning) for warning in warnings]

    return read


def test_what_has_a_meaning_here_is_taken_over_and_the_rest_is_said(read):
    settings, warnings = read(DETER)
    assert settings == {"pnode_types": "pc2133,bpc2133,MicroCloud", "openvz_template": "ubuntu-10.04-x86", "url_base": "http://www.example.net/"}
    assert load_site(None, config=settings).pnode_types == ("pc2133", "bpc2133", "MicroCloud")
    assert [warning.split(" (")[0] for warning in warnings] == [
        "site.conf:3: maverick_url: has no meaning here and is left out",
        "site.conf:7: qemu_host_os: has no meaning here and is left out",
        "site.conf:10: switch_shaping: has no meaning here and is left out",
        "site.conf:11: colour: is not known and left out",
    ]


def test_sections_and_the_case_of_keys_do_not_matter(read):
    assert read("[one]\nQEMU_Host_HW: a\n[two]\nopenvz_guest_url=b.tgz\n")[0] == {"pnode_types": "a", "openvz_template": "b"}
    assert read("# nothing but keys\nqemu_host_hw = a\n")[0] == {"pnode_types": "a"}
    assert read("[DEFAULT]\nhw = a,b\n[x]\nqemu_host_hw = %(hw)s\n")[0] == {"pnode_types": "a,b"}
    assert read("") == ({}, [])


@pytest.mark.parametrize(("text", "expected"), [
    ("[a]\nqemu_host_hw = x\nqemu_host_hw = y\n", "site.conf:3: qemu_host_hw: is given twice"),
    ("qemu_host_hw = x\nqemu_host_hw = y\n", "site.conf:2: qemu_host_hw: is given twice"),
    ("[a]\nx = 1\n[a]\n", "site.conf:3: a: is given twice"),
    ("[a]\nnonsense\n", "site.conf:2: is not a line of an INI file ([section], or KEY = VALUE)"),
    ("nonsense\n", "site.conf:1: is not a line of an INI file"),
    ("[a\nb]\n", "site.conf:1: is not a line of an INI file"),
    ("[a]\nopenvz_guest_url = %(root)s/x\n", "site.conf:2: openvz_guest_url: refers to root, which is not there (%(NAME)s"),
    ("[a]\nurl_base = 100%\n", "site.conf:2: url_base: refers to no value"),
    ("[a]\nx = %(y)s\ny = %(x)s\n", "site.conf:2: x: refers to no value"),
    (b"\xff\xfe", "site.conf: is not text"),
    ("x" * 1_000_001, "site.conf: is larger than 1,000,000 characters"),
])
def test_what_is_no_such_file_is_one_clear_error(read, text, expected):
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).splitlines()[0].startswith(expected)


def test_a_file_that_is_not_there_is_said_by_the_name_it_was_given(tmp_path):
    for path, expected in ((tmp_path / "none", "my.conf: no such file"), (tmp_path, "my.conf: is a directory"), ("a\0b", "my.conf: no such file")):
        with pytest.raises(InputError, match=expected):
            read_site_conf(str(path), "my.conf")


@given(st.text(alphabet="[]=:%()s;# \nabx\t\r\x85", max_size=60))
def test_no_file_whatever_is_in_it_ends_in_a_traceback(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("conf") / "site.conf"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        settings, warnings = read_site_conf(str(path))
    except InputError as exc:
        assert str(exc).startswith(str(path))
    else:
        assert settings == {} and all("left out" in str(warning) for warning in warnings)
