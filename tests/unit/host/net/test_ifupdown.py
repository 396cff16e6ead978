# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What files of ifupdown would do to an experiment's devices."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.net.ifupdown import refuse_stanzas

NAMES = ("bb4ekgoxqrgh4jp", "bvcimyszys4aqsa", "inf000")


def refusal(tmp_path, text, names=NAMES):
    (tmp_path / "ifup").write_text("")
    (tmp_path / "interfaces").write_text(text)
    try:
        refuse_stanzas(list(names), f"{tmp_path}/interfaces", f"{tmp_path}/ifup")
    except HostError as exc:
        return str(exc).replace(f"{tmp_path}/", "")
    return ""


@pytest.mark.parametrize(("line", "device"), [
    ("auto /b*=lan", NAMES[0]), ("allow-hotplug /*=lan", NAMES[0]), ("allow-hotplug /bv*/1=lan", NAMES[1]), ("rename /bb?*=lan", NAMES[0]),
    ("iface inf000 inet dhcp", "inf000"), ("auto eth0 /b*=lan", NAMES[0]),
])
def test_a_line_that_gives_a_device_a_stanza_is_refused_by_its_number(tmp_path, line, device):
    text = f"# all wires\n\nauto lo\\\n   eth1\n{line}\n"
    assert refusal(tmp_path, text) == f"interfaces:5: '{line}' makes ifupdown configure {device}, a device of this experiment: let it match fewer names"


@pytest.mark.parametrize("line", [
    "auto eth0", "auto /eth*=lan", "allow-hotplug /en*", "auto /*", "iface lan inet dhcp", "# auto /b*=lan", "auto mac/02:00:00:00:00:01=lan", "source nothing",
    "", "pre-up ip link add inf000 type dummy",
])
def test_a_line_that_gives_no_device_a_stanza_is_left_alone(tmp_path, line):
    assert refusal(tmp_path, f"auto lo\n{line}\n") == ""


def test_a_pattern_without_a_stanza_gives_one_by_a_mapping(tmp_path):
    assert refusal(tmp_path, "mapping b*\n  script /bin/choose\nauto /*\n").startswith(f"interfaces:3: 'auto /*' makes ifupdown configure {NAMES[0]}")


def test_files_that_are_sourced_are_read_once_even_in_a_circle(tmp_path):
    (tmp_path / "interfaces.d").mkdir()
    (tmp_path / "interfaces.d" / "lan").write_text(f"source {tmp_path}/interfaces\nallow-hotplug /b*=lan\n")
    for line in (f"source {tmp_path}/interfaces.d/*", "source-directory interfaces.d", "source interfaces.d/l*"):
        assert refusal(tmp_path, f"{line}\n").startswith("interfaces.d/lan:2: 'allow-hotplug /b*=lan' makes")


def test_a_machine_without_ifupdown_is_not_looked_at(tmp_path):
    (tmp_path / "interfaces").write_text("auto /b*=lan\n")
    refuse_stanzas(NAMES, f"{tmp_path}/interfaces", f"{tmp_path}/ifup")
