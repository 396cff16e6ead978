# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml: what it may say, what is wrong with what it says, and who wins."""

from __future__ import annotations

import re

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.errors import InputError
from ansible_collections.deter.benito.plugins.module_utils.settings.site_settings import SiteSettings, load_site, site_yaml


def problems_of(path, **overrides):
    with pytest.raises(InputError) as caught:
        load_site(str(path), overrides)
    return [str(problem) for problem in caught.value.problems]


def written(tmp_path, text):
    path = tmp_path / "site.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_a_file_the_built_in_settings_hold(tmp_path):
    assert load_site(None) == load_site(str(tmp_path / "site.yml")) == SiteSettings()


def test_the_run_wins_over_the_file_and_the_file_over_what_is_built_in(tmp_path):
    path = written(tmp_path, "packing: 4\nseed: 5\nkind_map: {openvz: process}\n")
    settings = load_site(str(path), {"packing": "7", "kind_map": None, "default_container": None})
    assert (settings.packing, settings.seed, settings.kind_map, settings.default_container) == (7, 5, {"openvz": "process"}, "qemu")


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n"])
def test_an_empty_file_says_nothing(tmp_path, text):
    assert load_site(str(written(tmp_path, text))) == SiteSettings()


def test_kind_map_may_be_a_map_or_a_text(tmp_path):
    for given in ("openvz=process,qemu=process", " openvz = process , qemu=process,", {"openvz": "process", "qemu": "process"}):
        assert load_site(None, {"kind_map": given}).kind_map == {"openvz": "process", "qemu": "process"}
    assert load_site(None, {"kind_map": ""}).kind_map == {}


@pytest.mark.parametrize(("name", "given", "meant"), [
    ("pass_pack", "0:1,1:20", {"0": 1, "1": 20}),
    ("pass_pack", " 0 : 1 , 1:20, ", {"0": 1, "1": 20}),
    ("pass_pack", {0: 1, "1": "20"}, {"0": 1, "1": 20}),
    ("pass_pack", ["0:1", {1: 20}, "2:5,3:6"], {"0": 1, "1": 20, "2": 5, "3": 6}),
    ("pass_pack", "007:3", {"7": 3}),
    ("pass_pack", "", {}),
    ("pass_size", "1:10", {"1": 10}),
    ("pass_pnodes", "0:pc2133,MicroCloud;1:bpc2133", {"0": ["pc2133", "MicroCloud"], "1": ["bpc2133"]}),
    ("pass_pnodes", {0: ["a", "b"], 1: "c,d"}, {"0": ["a", "b"], "1": ["c", "d"]}),
    ("pass_pnodes", ["0:a", "1:b;2:c"], {"0": ["a"], "1": ["b"], "2": ["c"]}),
    ("pass_nodes_only", "0,2,0", (0, 2)),
    ("pass_nodes_only", [0, "2,3"], (0, 2, 3)),
    ("pass_nodes_only", 1, (1,)),
    ("pnode_types", "big, small", ("big", "small")),
    ("pnode_types", ["big", " small"], ("big", "small")),
    ("kind_map", '{"openvz": "process"}', {"openvz": "process"}),
    ("image", 0, False),
    ("image", "y", True),
    ("nodes_only", "yes", True),
    ("nodes_only", "False", False),
    ("force_partition", True, True),
    ("size", "4", 4),
    ("memory_overcommit", "1.5", 1.5),
    ("memory_overcommit", 2, 2),
])
def test_options_of_the_original_may_be_text_as_there_or_yaml_and_the_file_takes_what_the_run_takes(tmp_path, name, given, meant):
    assert getattr(load_site(None, {name: given}), name) == meant
    if name.startswith("pass_"):
        assert getattr(load_site(str(written(tmp_path, yaml.safe_dump({name: given})))), name) == meant


@pytest.mark.parametrize(("name", "given", "expected"), [
    ("pass_pack", "1", "pass_pack: '1' is not of type 'object' (such as {0: 1, 1: 20} or '0:1,1:20')"),
    ("pass_pack", 80, "pass_pack: 80 is not of type 'object' (such as {0: 1, 1: 20} or '0:1,1:20')"),
    ("pass_pack", "0:1,0:2", "pass_pack: '0:1,0:2' is not of type 'object' (such as"),
    ("pass_pack", "0:1;1:2", "pass_pack.0: '1;1:2' is not of type 'integer' (a whole number from 1"),
    ("pass_pack", "0:0", "pass_pack.0: 0 is less than the minimum of 1"),
    ("pass_pack", "all:5", "pass_pack.all: 'all' does not match"),
    ("images", {"lab": {"url": "http://a/b", "path": "/c"}}, "images.lab: "),
    ("images", {"lab": 5}, "images.lab: 5 is not of type 'object' (an image, with one of build, url, path)"),
    ("pass_pnodes", {"0": 5}, "pass_pnodes.0: 5 is not of type 'array' (such as [big, small])"),
    ("template_cache_mb", "none", "template_cache_mb: 'none' is not of type 'integer' (a whole number, at least 0)"),
    ("node_users", ["mike"], "node_users.0: 'mike' is not of type 'object' (an account like {name: mike"),
    ("default_image", 7, "default_image: 7 is not of type 'string' (such as debian-12)"),
    ("pass_pack", "-1:5", "pass_pack.-1: '-1' does not match"),
    ("pass_pack", [["0", 1]], "pass_pack: [['0', 1]] is not of type 'object'"),
    ("pass_size", {"0": None}, "pass_size.0: None is not of type 'integer'"),
    ("pass_pnodes", "0:", "pass_pnodes.0: [] should be non-empty"),
    ("pass_pnodes", {"0": ["a b"]}, "pass_pnodes.0.0: 'a b' does not match"),
    ("pass_nodes_only", "a", "pass_nodes_only: 'a' is not of type 'array' (such as [0, 2] or '0,2')"),
    ("pass_nodes_only", [-1], "pass_nodes_only.0: -1 is less than the minimum of 0"),
    ("nodes_only", "perhaps", "nodes_only: 'perhaps' is not of type 'boolean' (true or false)"),
    ("memory_overcommit", 0.5, "memory_overcommit: 0.5 is less than the minimum of 1 (a number from 1 to 100)"),
    ("memory_overcommit", ".nan", "memory_overcommit: '.nan' is not of type 'number'"),
    ("passes", "two", "passes: 'two' is not allowed (one of together, original)"),
    ("openvz_template", "windows-11", "openvz_template: there is no template 'windows-11' (the images are debian-12, debian-13)"),
])
def test_what_is_in_no_form_of_an_option_is_refused_with_one_that_is_right(name, given, expected):
    with pytest.raises(InputError) as caught:
        load_site(None, {name: given})
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("seed: 1\npackking: 3\n", r"site.yml:2: packking: there is no such setting \(perhaps packing\)"),
        ("7: 3\n", r"site.yml:1: 7: there is no such setting \(the settings are packing, "),
        ("packing: 0\n", r"site.yml:1: packing: 0 is less than the minimum of 1 \(a whole number from 1 to"),
        ("packing: many\n", r"site.yml:1: packing: 'many' is not of type 'integer' \(a whole number"),
        ("packing: true\n", r"site.yml:1: packing: True is not of type 'integer'"),
        ("packing: 1.5\n", r"site.yml:1: packing: 1.5 is not of type 'integer'"),
        ("packing:\n", r"site.yml:1: packing: None is not of type 'integer'"),
        ("seed: -1\n", r"site.yml:1: seed: -1 is less than the minimum of 0"),
        ("seed: 1\n\ndefault_container: vm\n", r"site.yml:3: default_container: 'vm' is not allowed \(one of embedded_pnode, qemu, openvz, process\)"),
        ("kind_map:\n  openvz: process\n  qemu: vm\n", r"site.yml:3: kind_map.qemu: 'vm' is not allowed \(one of"),
        ("kind_map:\n  openvz: process\n  vm: qemu\n", r"site.yml:3: kind_map.vm: 'vm' is not allowed \(one of"),
        ("kind_map: openvz\n", r"site.yml:1: kind_map: 'openvz' is not of type 'object' \(such as {openvz: process} or 'openvz=process"),
        ("address_base: 10.0.0.1/16\n", r"site.yml:1: address_base: '10.0.0.1/16' is not a 'ipv4-network' \(such as 10.0.0.0/16\)"),
        ("address_base: everywhere\n", r"site.yml:1: address_base: "),
        ("multicast_group_base: 10.0.0.1\n", r"site.yml:1: multicast_group_base: .* \(such as 239"),
        ("control_networks: [10.0.0.0/8, 1]\n", r"site.yml:1: control_networks.1: 1 is not of type 'string'"),
        ("control_networks: 7\n", r"site.yml:1: control_networks: 7 is not of type 'array' \(such as \[192"),
        ("vxlan_port: 65536\n", r"site.yml:1: vxlan_port: 65536 is greater than the maximum"),
        ("memory_overcommit: .nan\n", r"site.yml:1: memory_overcommit: 'nan' is not of type 'number'"),
        ("seed: 1\npass_pack: 1:20\n", r"site.yml:2: pass_pack: 80 is not of type 'object' \(such as"),
        ("pass_pack: {0: 1}\npass_size:\n  0: 1\n  1: none\n", r"site.yml:4: pass_size.1: 'none' is not of type 'integer'"),
        ("seed: 1\nseed: 2\n", r"site.yml:2: seed: is given twice \(first in line 1\)"),
        ("seed: [1\n", r"site.yml:2: is not YAML: "),
        ("a: &a [x]\nb: *a\n", r"site.yml: YAML aliases have no use in settings"),
        ("- packing\n", r"site.yml:1: is not a list of settings"),
        ("packing\n", r"site.yml:1: is not a list of settings"),
        (b"\xff\xfe\x00", r"site.yml: is not text"),
        ("a: \x01\n", r"site.yml: is not YAML: "),
        ("---\na: 1\n---\nb: 1\n", r"site.yml:3: is not YAML: "),
        ("a: !!python/object:os.system []\n", r"site.yml:1: is not YAML: "),
    ],
)
def test_each_fault_is_one_problem_with_file_and_line(tmp_path, text, expected):
    (problem,) = problems_of(written(tmp_path, text))
    assert re.search(expected, problem), problem
    assert "\n" not in problem


def test_all_faults_come_at_once_and_the_run_s_too(tmp_path):
    found = problems_of(written(tmp_path, "packing: 0\nnope: 1\n"), seed="x", kind_map="openvz")
    assert [problem.replace(f"{tmp_path}/", "").split(": ")[:2] for problem in found] == [
        ["site.yml:2", "nope"],
        ["site.yml:1", "packing"],
        ["kind_map", "'openvz' is not of type 'object' (such as {openvz"],
        ["seed", "'x' is not of type 'integer' (a whole number from 0 to 2147483647)"],
    ]


def test_a_directory_and_a_missing_file_that_was_asked_for_are_errors(tmp_path):
    assert "cannot be read: Is a directory" in problems_of(tmp_path)[0]
    with pytest.raises(InputError, match="nothing.yml: no such file"):
        load_site(str(tmp_path / "nothing.yml"), required=True)


def test_the_settings_of_an_experiment_are_read_back_as_they_were(tmp_path):
    passes = {"pass_pack": {"0": 1, "12": 20}, "pass_pnodes": {"3": ["big", "small"]}, "pass_nodes_only": (0, 2)}
    settings = SiteSettings(packing=3, kind_map={"qemu": "process"}, vxlan_mode="multicast", nodes_only=True, memory_overcommit=1.25, **passes)
    assert load_site(str(written(tmp_path, site_yaml(settings)))) == settings
    assert site_yaml(settings).splitlines()[2:5] == ["packing: 3", "size: 0", "nodes_only: true"]


def test_the_example_of_the_page_is_valid(tmp_path):
    text = open("docs/site.md", encoding="utf-8").read()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    assert load_site(str(written(tmp_path, example))).packing == yaml.safe_load(example)["packing"]
