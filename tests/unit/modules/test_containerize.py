# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module containerize creates experiments and refuses bad input, as a user sees it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.deter.benito.plugins.module_utils.experiment.directory import ExperimentDirectory, experiments
from ansible_collections.deter.benito.plugins.module_utils.lifecycle import create as creation
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.picture import creation_pictures
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl
from ansible_collections.deter.benito.plugins.modules import containerize
from ansible_collections.deter.benito.tests.unit.topology.drawing.graphviz import texts_of

IMPORTS = Path(__file__).parents[3] / "examples" / "imports"


def computer(name, *interfaces, **attributes):
    """Return a computer. An interface is (substrate, {attribute: value}, extra XML); the last two are optional."""
    parts = [f"<name>{name}</name>"]
    for number, (substrate, *rest) in enumerate(interfaces):
        pairs = rest[0] if rest else {}
        parts.append(f"<interface><substrate>{substrate}</substrate><name>inf{number:03}</name>{rest[1] if rest[1:] else ''}{attributes_of(pairs)}</interface>")
    parts.append(attributes_of({name.replace("__", ":"): value for name, value in attributes.items()}))
    return f"<elements><computer>{''.join(parts)}</computer></elements>"


def attributes_of(pairs):
    return "".join(f"<attribute><attribute>{name}</attribute><value>{value}</value></attribute>" for name, value in pairs.items())


def substrate(name, inner=""):
    return f"<substrates><name>{name}</name>{inner}</substrates>"


def topology(*parts):
    return "<experiment>\n<version>1.0</version>\n" + "\n".join(parts) + "\n</experiment>\n"


GOOD = topology(
    substrate("lan0"),
    substrate("link0", "<capacity><rate>1000</rate><kind>max</kind></capacity>"),
    computer("a", ("lan0",), startup="echo hello"),
    computer("b", ("lan0",)),
    computer("r", ("lan0",), ("link0",)),
    computer("c", ("link0",), containers__node_type="openvz"),
)


class Outcome:
    """The result of a module run, and whether it failed."""

    def __init__(self, status, text):
        self.result = json.loads(text)
        self.failed = status != 0
        self.message = self.result["msg"]


def run(check=False, **options):
    """Run the module in this process instead of one that Ansible starts."""
    out = io.StringIO()
    arguments = {"_ansible_check_mode": check, **options}
    with patch_module_args(arguments), contextlib.redirect_stdout(out), pytest.raises(SystemExit) as caught:
        containerize.main()
    return Outcome(caught.value.code, out.getvalue())


def everything_below(path):
    return sorted(os.path.join(folder, name) for folder, folders, names in os.walk(path) for name in folders + names)


@pytest.fixture(name="files")
def fixture_files(tmp_path, monkeypatch):
    """Make a working directory with a topology. The home beside it does not exist yet."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "good.xml").write_text(GOOD)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("BENITO_HOME", str(tmp_path / "home"))
    return tmp_path / "work"


def good(**changes):
    return {"pid": "DeterTest", "eid": "example1", "topology": "good.xml", **changes}


def test_experiment_directory_has_every_file_of_the_design(files, tmp_path):
    outcome = run(**good(packing=2, kind_map="openvz=process"))
    assert not outcome.failed
    home = str(tmp_path / "home")
    path = os.path.join(home, "proj", "DeterTest", "exp", "example1")
    assert outcome.message.splitlines() == [
        "Benito experiment DeterTest/example1 successfully created!",
        "At http://127.0.0.1:8460/showexp.php3?pid=DeterTest&eid=example1 once the service runs (benito serve)",
        f"4 nodes on 2 pnodes, in {path}",
        "Kinds: 3 qemu (default_container), 1 process (kind_map of openvz, in the topology)",
        "Next: ansible-playbook deter.benito.swapin -e pid=DeterTest -e eid=example1",
    ]
    top = {"experiment.xml", "annotated.xml", "partitioned.xml", "topo.xml", "assignment.yaml", "hosts", "route", "site.yml", "phys_topo.xml", "phys_topo.ns",
           "visualization.svg", "visualization.png"}  # fmt: skip
    assert set(os.listdir(path)) == top | {"inventory.json", "state.json", "activity.log", "events.jsonl", "secrets"}
    assert open(os.path.join(path, "experiment.xml"), encoding="utf-8").read() == GOOD
    assert sorted(os.listdir(os.path.join(path, "route"))) == ["a", "b", "c"], "r is on every subnet and needs no route"
    directory = ExperimentDirectory(home, "DeterTest", "example1")
    assert directory.read_state().state == "swapped"
    assert "created from good.xml: 4 nodes on 2 pnodes" in directory.read("activity.log")
    assignment = yaml.safe_load(directory.read("assignment.yaml"))
    assert sorted(assignment) == ["pnode-0000", "pnode-0001"]
    assert sorted(sum(assignment.values(), [])) == ["a", "b", "c", "r"]
    assert yaml.safe_load(directory.read("site.yml"))["packing"] == 2


def test_picture_shows_the_nodes_with_their_addresses(files, tmp_path):
    assert not run(**good()).failed
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    texts = texts_of(directory.read("visualization.svg").encode())
    assert {"a", "b", "c", "r", "lan0", "link0", "10.0.0.1", "10.0.1.2", "DeterTest/example1: 4 nodes"} <= set(texts)
    with open(directory.file("visualization.png"), "rb") as picture:
        assert picture.read(4) == b"\x89PNG"


@pytest.mark.parametrize("options", [{"image": False}, {"image": "no"}, {"no_image": True}])
def test_no_picture_is_drawn_if_none_is_wanted(files, tmp_path, options):
    outcome = run(**good(**options))
    assert not outcome.failed
    assert not [name for name in outcome.result["files"] if name.startswith("visualization")]


def test_missing_graphviz_gives_a_warning_that_names_the_package(files, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    assert not run(**good()).failed
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert "warning: picture: none was drawn: pictures need the program neato: install the package graphviz" in directory.read("activity.log")
    assert not os.path.exists(directory.file("visualization.svg"))


def test_picture_that_takes_too_long_gives_a_warning(files, tmp_path, monkeypatch):
    monkeypatch.setattr(creation, "creation_pictures", lambda name, topology, _seconds: creation_pictures(name, topology, 0.001))
    assert not run(**good()).failed
    log = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1").read("activity.log")
    assert "warning: picture: none was drawn: neato did not end within" in log


def test_same_input_and_seed_give_the_same_bytes(files, tmp_path):
    changing = ("state.json", "activity.log", "events.jsonl")
    contents = []
    for home in ("one", "two"):
        assert not run(**good(benito_home=str(tmp_path / home), packing=2, seed=7, kind_map={"qemu": "process", "openvz": "process"})).failed
        path = ExperimentDirectory(str(tmp_path / home), "DeterTest", "example1").path
        names = [name for name in everything_below(path) if os.path.isfile(name) and os.path.basename(name) not in changing]
        contents.append({os.path.relpath(name, path): open(name, "rb").read() for name in names})
    assert contents[0] == contents[1]


def test_physical_topology_is_written_as_topdl_and_ns(files, tmp_path):
    assert not run(**good(packing=2, kind_map="openvz=process")).failed
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    machines, _warnings = read_topdl(directory.file("phys_topo.xml"))
    assert [machine.name for machine in machines.computers] == ["pnode-0000", "pnode-0001"]
    (joining,) = machines.substrates
    assert directory.read("phys_topo.ns").splitlines() == [
        "set ns [new Simulator]",
        "source tb_compat.tcl",
        "set pnode(0000) [$ns node]",
        "set pnode(0001) [$ns node]",
        f"set {joining.name} [$ns duplex-link $pnode(0000) $pnode(0001) * 0ms DropTail]",
        "tb-set-node-failure-action $pnode(0000) nonfatal",
        "tb-set-node-failure-action $pnode(0001) nonfatal",
        "$ns rtproto Static",
        "$ns run",
    ]


def test_machine_that_is_a_node_keeps_its_name_and_names_invalid_in_ns_give_a_warning(files, tmp_path):
    (files / "odd.xml").write_text(topology(substrate("lan_0"), computer("a", ("lan_0",), containers__node_type="embedded_pnode"), computer("b", ("lan_0",))))
    outcome = run(**good(topology="odd.xml"))
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert [machine.name for machine in read_topdl(directory.file("phys_topo.xml"))[0].computers] == ["a", "pnode-0001"]
    assert not outcome.failed and "phys_topo.ns" not in outcome.result["files"]
    assert "warning: there is no phys_topo.ns: substrate lan_0: 'lan_0' is no name in an NS file" in directory.read("activity.log")


def test_only_nodes_with_a_login_get_host_keys(files, tmp_path):
    assert not run(**good(kind_map="qemu=process")).failed
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert sorted(os.listdir(directory.secrets)) == ["c", "ssh_key", "ssh_key.pub"], "and one key logs in everywhere"
    key = directory.file("secrets", "c", "ssh_host_ed25519_key")
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], check=True, capture_output=True, text=True).stdout
    assert directory.read("secrets", "c", "ssh_host_ed25519_key.pub").split() == [*public.split()[:2], "c.example1.detertest"]


def test_check_mode_reports_the_result_and_writes_nothing(files, tmp_path):
    outcome = run(check=True, **good(packing=4))
    assert not outcome.failed
    assert outcome.message.splitlines()[0] == "Benito experiment DeterTest/example1 would be created."
    assert outcome.result["diff"]["before"] == ""
    after = outcome.result["diff"]["after"].splitlines()
    assert after[:2] == ["experiment DeterTest/example1", "pnode-0000: 4 nodes: a b r c"]
    assert f"{tmp_path}/home/proj/DeterTest/exp/example1/partitioned.xml" in after
    assert not os.path.exists(tmp_path / "home")


def test_reported_files_are_the_written_files(files, tmp_path):
    told = run(check=True, **good()).result["files"]
    outcome = run(**good())
    path = outcome.result["path"]
    written = [os.path.relpath(name, path) for name in everything_below(path) if os.path.isfile(name)]
    assert told == outcome.result["files"] == written


def test_misspelt_attributes_are_shown_once_with_what_was_meant(files, capsys):
    wrong = f"<name>inf000</name>{attributes_of({'ip4_adress': '1'})}"
    (files / "odd.xml").write_text(GOOD.replace("startup", "startpu").replace("<name>inf000</name>", wrong))
    outcome = run(**good(topology="odd.xml"))
    shown = json.dumps(outcome.result.get("warnings")) + capsys.readouterr().err
    assert not outcome.failed
    assert "computer a: the attribute 'startpu' is not known here; it has no effect (perhaps startup)" in shown
    assert "interface inf000: the attribute 'ip4_adress' is not known here; it has no effect; 3 more interfaces have it (perhaps ip4_address)" in shown


def test_warnings_about_the_topology_are_shown_with_line_and_element(files, capsys):
    (files / "odd.xml").write_text(topology(substrate("empty"), computer("alone")))
    warnings = run(**good(topology="odd.xml")).result.get("warnings")
    shown = json.dumps(warnings) + capsys.readouterr().err  # where Ansible's plugins are loaded in this process, it prints them at once
    assert "odd.xml:3: substrate empty: " in shown


def test_relative_paths_are_relative_to_chdir(files, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert not run(**good(chdir=str(files), benito_home="../elsewhere")).failed
    assert os.listdir(tmp_path / "elsewhere" / "proj") == ["DeterTest"]


NS = """set ns [new Simulator]
set a [$ns node]
set b [$ns node]
tb-set-node-startcmd $a "echo hello"
set lan0 [$ns make-lan "$a $b" 10Mb 10ms]
$ns run
"""


@pytest.mark.parametrize("name", ["lab.tcl", "lab.ns"])
def test_ns_file_is_kept_beside_its_topdl(files, tmp_path, name):
    (files / name).write_text(NS)
    outcome = run(**good(topology=name, kind_map="qemu=process"))
    assert not outcome.failed, outcome.message
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert directory.read("experiment.tcl") == NS
    became, _warnings = read_topdl(directory.file("experiment.xml"))
    assert [(node.name, node.attribute("startup")) for node in became.computers] == [("a", "echo hello"), ("b", None)]
    assert f"warning: {name}:4: tb-set-node-startcmd: an Emulab site would not know it" in directory.read("activity.log")
    again = run(**good(topology=directory.file("experiment.xml"), eid="again", kind_map="qemu=process"))
    assert not again.failed
    assert ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "again").read("partitioned.xml") == directory.read("partitioned.xml")


@pytest.mark.parametrize(("name", "kept"), [("campus.graphml", "experiment.graphml"), ("routers.clab.yml", "experiment.clab.yml")])
def test_examples_of_other_formats_are_kept_beside_their_topdl(files, tmp_path, capsys, name, kept):
    """The warnings are those that docs/importing.md shows."""
    given = IMPORTS / name
    outcome = run(**good(topology=str(given), packing=2, kind_map="openvz=process"))
    assert not outcome.failed, outcome.message
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert directory.read(kept) == given.read_text()
    shown = json.dumps(outcome.result.get("warnings"), ensure_ascii=False) + capsys.readouterr().err
    log = directory.read("activity.log")
    for warning in EXPECTED_OF_IMPORTS[name]:
        assert warning in shown and f"warning: {given}:{warning}" in log
    again = run(**good(topology=directory.file("experiment.xml"), eid="again", packing=2, kind_map="openvz=process"))
    assert not again.failed
    assert ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "again").read("partitioned.xml") == directory.read("partitioned.xml")


EXPECTED_OF_IMPORTS = {
    "campus.graphml": ["13: node 'Zürich Core': is called Zurich-Core here"],
    "routers.clab.yml": [
        "15: 2 nodes with settings that are not carried over: node 'r2': binds is not carried over; node 'client2': mgmt-ipv4 is not carried over",
        "41: link number 5: leads out of the lab, to 'host', and is left out",
    ],
}


def test_all_faults_of_an_ns_file_are_reported_and_nothing_is_left(files, tmp_path):
    (files / "lab.tcl").write_text(NS.replace("10Mb", "10mb").replace("$a $b", "$a"))
    outcome = run(**good(topology="lab.tcl"))
    assert [line.split(": ")[0] for line in outcome.message.splitlines()] == ["lab.tcl:5", "lab.tcl:5"]
    assert_refused(outcome, "lab.tcl:5: make-lan: 'mb' is no unit of bandwidth (10Mb)", tmp_path)


def test_ns_file_is_read_by_the_rules_of_its_profile(files, tmp_path):
    (files / "lab.tcl").write_text(NS)
    assert_refused(run(**good(topology="lab.tcl", ns_profile="emulab")), "is not known before tb_compat.tcl is read", tmp_path)


def test_missing_tclsh_is_an_error_that_names_the_package(files, tmp_path, monkeypatch):
    (files / "lab.tcl").write_text(NS)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    assert_refused(run(**good(topology="lab.tcl")), "lab.tcl: reading NS files needs the program tclsh: install the package tcl", tmp_path)


def test_sourced_ns_files_are_relative_to_the_folder_and_kept(files, tmp_path):
    (files / "sub").mkdir()
    (files / "sub" / "lab.tcl").write_text(NS.replace("$ns run", "source more.tcl\n$ns run"))
    (files / "sub" / "more.tcl").write_text("set c [$ns node]\n")
    outcome = run(**good(topology="sub/lab.tcl"))
    assert not outcome.failed and sum(map(len, outcome.result["pnodes"].values())) == 3
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1")
    assert directory.read("experiment.tcl.d", "more.tcl") == "set c [$ns node]\n"
    again = run(**good(topology=directory.file("experiment.tcl"), eid="again"))
    assert not again.failed
    assert ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "again").read("partitioned.xml") == directory.read("partitioned.xml")


def test_option_wins_over_its_entry_in_the_dictionary_of_settings(files, tmp_path):
    outcome = run(**good(settings={"packing": "2", "seed": 3, "no_image": True, "size": None}, seed=7))
    assert not outcome.failed, outcome.message
    settings = yaml.safe_load(ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1").read("site.yml"))
    assert (settings["packing"], settings["seed"], settings["image"], settings["size"]) == (2, 7, False, 0)


def test_original_option_names_are_accepted_as_settings(files, tmp_path, capsys):
    outcome = run(**good(openvz_diskspace="1.5G", no_image="true", pass_pack="0:2", nodes_only="yes", openvz_template="debian-13"))
    assert not outcome.failed, outcome.message
    settings = yaml.safe_load(ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1").read("site.yml"))
    assert (settings["openvz_disk_mb"], settings["image"], settings["pass_pack"], settings["nodes_only"]) == (1536, False, {"0": 2}, True)
    assert len(outcome.result["pnodes"]) == 2
    assert "no_log" not in json.dumps(outcome.result) + capsys.readouterr().err, "a pass is no password"


@pytest.mark.parametrize(("given", "mebibytes"), [("2G", 2048), ("512M", 512), ("512mb", 512), (1048576, 1024), ("1048576", 1024), ("70000", 69)])
def test_original_disk_space_without_a_suffix_counts_blocks(files, tmp_path, given, mebibytes):
    assert not run(**good(openvz_diskspace=given)).failed
    settings = yaml.safe_load(ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1").read("site.yml"))
    assert settings["openvz_disk_mb"] == mebibytes


def test_module_options_win_over_site_conf_and_site_conf_over_the_site_file(files, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "site.yml").write_text("pnode_types: [large]\nopenvz_template: debian-13\n")
    (files / "site.conf").write_text("[containers]\nqemu_host_hw = pc2133, MicroCloud\nopenvz_guest_url = /share/ubuntu-10.04-x86.tar.gz\n")
    assert not run(**good(config="site.conf", openvz_template="debian-12")).failed
    settings = yaml.safe_load(ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "example1").read("site.yml"))
    assert (settings["pnode_types"], settings["openvz_template"]) == (["pc2133", "MicroCloud"], "debian-12")
    assert not run(**good(eid="two", config="site.conf")).failed
    log = ExperimentDirectory(str(tmp_path / "home"), "DeterTest", "two").read("activity.log")
    assert "setting openvz_template: DETER's template ubuntu-10.04-x86 is not in the catalogue: openvz nodes that ask for none are made of debian-12" in log


def test_group_experiment_is_in_the_groups_directory_and_named_after_its_project_on_hosts(files, tmp_path):
    outcome = run(**good(pid="DeterTest/teamA"))
    assert outcome.message.splitlines()[0] == "Benito experiment DeterTest/teamA/example1 successfully created!"
    assert outcome.message.endswith("-e pid=DeterTest/teamA -e eid=example1")
    directory = ExperimentDirectory(str(tmp_path / "home"), "DeterTest/teamA", "example1")
    assert directory.path == str(tmp_path / "home/proj/DeterTest/groups/teamA/exp/example1")
    assert (directory.pid, directory.gid, directory.project) == ("DeterTest", "teamA", "DeterTest/teamA")
    assert "c.example1.detertest" in directory.read("secrets", "c", "ssh_host_ed25519_key.pub")
    directory.remove()
    assert everything_below(tmp_path / "home") == []


def test_group_named_like_its_project_is_the_project(files, tmp_path):
    assert run(**good(pid="DeterTest/DeterTest")).message.splitlines()[0] == "Benito experiment DeterTest/example1 successfully created!"


@pytest.mark.parametrize(("first", "second"), [("DeterTest", "DeterTest/teamA"), ("DeterTest/teamA", "DeterTest"), ("DeterTest/teamA", "DeterTest/teamB")])
def test_experiment_name_is_unique_in_a_project_across_groups(files, tmp_path, first, second):
    assert not run(**good(pid=first)).failed
    before = everything_below(tmp_path / "home")
    outcome = run(**good(pid=second))
    assert outcome.failed
    assert outcome.message == f"experiment {first}/example1 exists already, and no two of a project have one name (choose another eid)"
    assert everything_below(tmp_path / "home") == before
    assert experiments(str(tmp_path / "home")) == [(first, "example1")]
    assert not run(**good(pid="Other/teamA")).failed, "another project may"


LAN = substrate("lan0")
PAIR = (LAN, computer("a", ("lan0",)), computer("b", ("lan0",)))
ENTITIES = "".join(f"<!ENTITY {name} '&{former};&{former};'>" for former, name in zip("abcdefg", "bcdefgh", strict=True))
BOMB = f"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>{ENTITIES}]>"
DEEP = "<a>" * 100 + "</a>" * 100

# kind of bad input: (changed options, {file: content}, what the message must hold)
BAD_TOPOLOGIES = {
    "malformed XML": ("<experiment><version>1.0</version>", "bad.xml:1"),
    "two mistakes": (topology(computer("a", ("nowhere",)), computer("a")), "nowhere"),
    "an empty file": ("", "bad.xml"),
    "not XML": ("nodes: 3\n", "bad.xml: is in none of the formats that are read: it is YAML without topology:"),
    "binary": (bytes(range(256)) * 10, "bad.xml"),
    "XML of something else": ("<html><body/></html>", "topology"),
    "a bomb of entities": (BOMB + topology(), "bad.xml"),
    "an external entity": ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + topology(computer("&e;")), "bad.xml"),
    "a document type": ("<!DOCTYPE experiment SYSTEM 'http://192.0.2.1/x.dtd'>" + topology(), "bad.xml"),
    "too deep": (topology(DEEP), "deep"),
    "an unknown substrate": (topology(LAN, computer("a", ("lan1",))), "bad.xml:4: computer a, interface inf000"),
    "two substrates of one name": (topology(LAN, LAN), "substrate lan0"),
    "two computers of one name": (topology(computer("a"), computer("a")), "computer a"),
    "two interfaces of one name": (
        topology(*PAIR, LAN.replace("lan0", "lan1"), computer("c", ("lan0",), ("lan1",)).replace("inf001", "inf000")), "inf000"),
    "a computer without a name": (topology("<elements><computer/></elements>"), "bad.xml:3"),
    "a name with a space": (topology(computer("a b")), "bad.xml:3"),
    "a name for the shell": (topology(computer("$(reboot)")), "bad.xml:3"),
    "a name with a semicolon": (topology(computer("a;reboot")), "bad.xml:3"),
    "a name with a quote": (topology(computer("a'b")), "bad.xml:3"),
    "a name that is a path": (topology(computer("../../etc/cron.d/x")), "bad.xml:3"),
    "a name that is an option": (topology(computer("-rf")), "bad.xml:3"),
    "a name of 40 letters": (topology(computer("a" * 40)), "bad.xml:3"),
    "a name with a template": (topology(computer("{{ lookup('pipe', 'id') }}")), "bad.xml:3"),
    "a name in another alphabet": (topology(computer("knötchen")), "bad.xml:3"),
    "a substrate for the shell": (topology(substrate("`id`")), "bad.xml:3"),
    "a computer called localhost": (topology(computer("localhost")), "computer localhost"),
    "a computer called like a pnode": (topology(computer("pnode-0000")), "computer pnode-0000"),
    "a computer called like a group": (topology(computer("vnodes")), "computer vnodes"),
    "names that become one group": (
        topology(substrate("lan-0"), substrate("lan_0"), computer("a", ("lan-0",), ("lan_0",)), computer("b", ("lan-0",), ("lan_0",))), "substrate_lan_0"),
    "a negative rate": (topology(substrate("s", "<capacity><rate>-1</rate></capacity>")), "substrate s"),
    "a rate in words": (topology(substrate("s", "<capacity><rate>fast</rate></capacity>")), "substrate s"),
    "a rate that is no number": (topology(substrate("s", "<capacity><rate>nan</rate></capacity>")), "substrate s"),
    "a negative latency": (topology(substrate("s", "<latency><time>-3</time></latency>")), "substrate s"),
    "a loss of 2": (topology(LAN, computer("a", ("lan0", {"loss": "2"}))), "loss"),
    "an address twice": (
        topology(LAN, computer("a", ("lan0", {"ip4_address": "10.1.0.1"})), computer("b", ("lan0", {"ip4_address": "10.1.0.1"}))), "10.1.0.1"),
    "overlapping fixed addresses": (
        topology(
            LAN, substrate("lan1"),
            computer("a", ("lan0", {"ip4_address": "10.1.0.1", "ip4_netmask": "255.255.0.0"})),
            computer("b", ("lan1", {"ip4_address": "10.1.2.1", "ip4_netmask": "255.255.255.0"}))), "overlap"),
    "an image that is a file of the controller": (
        topology(computer("a", containers__node_type="qemu", containers__qemu_url=f"file:///etc/shadow#sha256={'0' * 64}")),
        "bad.xml:3: computer a: qemu_url 'file:///etc/shadow' is no http or https URL"),
    "an image that is a device": (
        topology(computer("a", containers__node_type="qemu", containers__maverick_url=f"/dev/zero#{'0' * 64}")), "bad.xml:3: computer a: qemu_url"),
    "an address that is none": (topology(LAN, computer("a", ("lan0", {"ip4_address": "10.0.0.256"}))), "10.0.0.256"),
    "a netmask that is none": (topology(LAN, computer("a", ("lan0", {"ip4_address": "10.0.0.1", "ip4_netmask": "255.0.255.0"}))), "255.0.255.0"),
    "an unknown kind": (topology(computer("a", containers__node_type="vmware")), "vmware"),
    "a partition that is a path": (topology(computer("a", containers__partition="../x")), "../x"),
    "a kind without a partition among others": (
        topology(computer("a", containers__partition="0"), computer("b", containers__node_type="qemu")), "computer b"),
    "a vhost that is not there": (topology(computer("a", containers__node_type="process", containers__vhost="z y")), "computer a"),
    "a testbed in it": (topology("<elements><testbed><uri>x</uri><type>y</type></testbed></elements>"), "testbed"),
}  # fmt: skip
BAD_OPTIONS = {
    "a pid that is a path": ({"pid": "../x"}, "pid: '../x' is not a name"),
    "a pid that is empty": ({"pid": ""}, "pid: '' is not a name"),
    "a group that is a path": ({"pid": "a/.."}, "pid: 'a/..' is not a name (a letter, then"),
    "a group of a group": ({"pid": "a/b/c"}, "pid: 'a/b/c' is not a name"),
    "a project without a name before its group": ({"pid": "/b"}, "pid: '/b' is not a name"),
    "an eid for the shell": ({"eid": "a;b"}, "eid: 'a;b' is not a name"),
    "an eid that is too long": ({"eid": "e" * 50}, "is not a name"),
    "a topology that is not there": ({"topology": "none.xml"}, "none.xml: cannot be read: No such file"),
    "a topology that is a directory": ({"topology": "."}, "cannot be read: Is a directory"),
    "a topology that is a device": ({"topology": "/dev/zero"}, "/dev/zero: is not a regular file"),
    "a topology without a name": ({"topology": ""}, "cannot be read"),
    "a topology with a zero byte": ({"topology": "a\0b"}, "topology: holds a NUL character (a text without one)"),
    "a setting with a zero byte": ({"default_image": "a\0b"}, "default_image: holds a NUL character (a text without one)"),
    "an NS file that is not there": ({"topology": "x.tcl"}, "x.tcl: cannot be read: No such file"),
    "an unknown profile": ({"ns_profile": "utah"}, "ns_profile: 'utah' is not allowed (one of"),
    "packing 0": ({"packing": 0}, "packing: 0 is less than the minimum of 1"),
    "packing below 0": ({"packing": "-3"}, "packing: -3 is less than the minimum of 1"),
    "packing in words": ({"packing": "many"}, "packing: 'many' is not of type 'integer'"),
    "a seed in words": ({"seed": "lucky"}, "seed: 'lucky' is not"),
    "an unknown default kind": ({"default_container": "docker"}, "default_container: 'docker' is not allowed (one of"),
    "an unknown kind in kind_map": ({"kind_map": "docker=process"}, "kind_map.docker: 'docker' is not allowed (one of"),
    "a kind_map to an unknown kind": ({"kind_map": {"qemu": "docker"}}, "kind_map.qemu: 'docker' is not allowed (one of"),
    "a kind_map without a sign": ({"kind_map": "process"}, "kind_map: 'process' is not"),
    "addresses that are none": ({"address_base": "10.0.0.0/33"}, "address_base: '10.0.0.0/33' is not"),
    "a size below 0": ({"size": -1}, "size: -1 is less than the minimum of 0"),
    "passes in no form": ({"pass_pack": "0=1"}, "pass_pack: '0=1' is not of type 'object' (such as {0: 1, 1: 20} or '0:1,1:20')"),
    "a disk space in words": ({"openvz_diskspace": "much"}, "openvz_diskspace: 'much' is not one of its values (a number and G or M"),
    "a disk space twice": ({"openvz_diskspace": "1G", "openvz_disk_mb": 5000}, "openvz_diskspace: is the same setting as openvz_disk_mb"),
    "a picture and none": ({"image": True, "no_image": True}, "no_image: is the same setting as image, which is given too"),
    "a disk space that is too small": ({"openvz_diskspace": "3"}, "openvz_disk_mb: 1 is less than the minimum of 64"),
    "a template that is not there": ({"openvz_template": "windows-11"}, "openvz_template: there is no template 'windows-11'"),
    "a picture in no time": ({"image_limit_s": 0}, "image_limit_s: 0 is less than the minimum of 1"),
    "a site.conf that is not there": ({"config": "none.conf"}, "none.conf: no such file"),
    "a site.conf that is a topology": ({"config": "good.xml"}, "good.xml:1: is not a line of an INI file"),
    "a setting that is none": ({"settings": {"packking": 3}}, "packking: there is no such setting (perhaps packing)"),
    "a truth in words": ({"no_image": "perhaps"}, "no_image: 'perhaps' is not one of its values (true or false)"),
    "a list where a number belongs": ({"vxlan_port": [4789]}, "vxlan_port: [4789] is not of type 'integer' (a whole number from 1 to 65535)"),
    "less than nothing": ({"qemu_reserve_mb": -1}, "qemu_reserve_mb: -1 is less than the minimum of 0 (a whole number, at least 0)"),
    "a site file that is not there": ({"site": "none.yml"}, "none.yml: no such file"),
}


@pytest.mark.parametrize("case", BAD_TOPOLOGIES)
def test_invalid_topology_gets_one_clear_message_and_leaves_nothing(files, tmp_path, case):
    content, expected = BAD_TOPOLOGIES[case]
    (files / "bad.xml").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert_refused(run(**good(topology="bad.xml")), expected, tmp_path)


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_invalid_option_gets_one_clear_message_and_leaves_nothing(files, tmp_path, case):
    options, expected = BAD_OPTIONS[case]
    outcome = run(**good(**options))
    assert_refused(outcome, expected, tmp_path)
    assert len(outcome.message.splitlines()) == 1


def assert_refused(outcome, expected, tmp_path):
    print(outcome.message)
    assert outcome.failed
    assert expected in outcome.message
    assert "Traceback" not in json.dumps(outcome.result)
    assert "exception" not in outcome.result
    assert len(outcome.message) < 2000
    assert not os.path.exists(tmp_path / "home")


def test_all_faults_are_reported_together(files, tmp_path):
    (files / "bad.xml").write_text(topology(computer("a", ("nowhere",)), substrate("s", "<capacity><rate>-1</rate></capacity>")))
    outcome = run(**good(eid="-", packing=0, nodes_only="perhaps", seed="lucky", openvz_diskspace="much", topology="bad.xml"))
    lines = outcome.message.splitlines()
    assert [line.split(":")[0] for line in lines] == ["eid", "openvz_diskspace", "packing", "nodes_only", "seed", "bad.xml", "bad.xml"]
    assert outcome.failed
    assert not os.path.exists(tmp_path / "home")


def test_unknown_setting_of_the_site_is_an_error_with_its_line(files, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "site.yml").write_text("packing: 3\nunkown: 1\n")
    outcome = run(**good())
    assert outcome.message.startswith(f"{tmp_path}/home/site.yml:2: unkown: there is no such setting")
    assert everything_below(tmp_path / "home") == [f"{tmp_path}/home/site.yml"]


def test_existing_experiment_is_refused_and_unchanged_even_if_broken(files, tmp_path):
    assert not run(**good()).failed
    state = tmp_path / "home/proj/DeterTest/exp/example1/state.json"
    state.write_text("{broken")
    before = [(path, os.lstat(path).st_mtime_ns) for path in everything_below(tmp_path / "home")]
    for check in (False, True):
        outcome = run(check=check, **good())
        assert outcome.failed
        assert "experiment DeterTest/example1 exists already" in outcome.message
    assert [(path, os.lstat(path).st_mtime_ns) for path in everything_below(tmp_path / "home")] == before


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("options, message", [("size=16k", "No space left on device"), ("ro", "Read-only file system")])
def test_full_disk_gets_one_clear_message_and_leaves_nothing(files, tmp_path, options, message):
    (tmp_path / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(tmp_path / "disk")], check=True)
    try:
        outcome = run(**good(benito_home=str(tmp_path / "disk" / "home")))
        assert outcome.failed
        assert message in outcome.message
        assert len(outcome.message.splitlines()) == 1
        assert not everything_below(tmp_path / "disk")
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_home_that_is_a_file_gets_one_clear_message(files, tmp_path):
    (tmp_path / "home").write_text("")
    outcome = run(**good())
    assert outcome.failed
    assert "home" in outcome.message
    assert len(outcome.message.splitlines()) == 1
