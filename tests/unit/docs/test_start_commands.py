# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start commands of the pages and examples use only programs that every image and every pnode of a local testbed has.

Which packages these are made of is looked up in the recipes, and in the settings of an example that has images of its own.
"""

from __future__ import annotations

import re
import shlex
from html import unescape
from pathlib import Path

import pytest
import yaml
from ansible_collections.deter.benito.plugins.module_utils.images.recipe import DISK, ROOT, recipe
from ansible_collections.deter.benito.plugins.module_utils.testbed.base import PACKAGES
from ansible_collections.deter.benito.plugins.module_utils.topology.readers import read_topology

TOP = Path(__file__).parents[3]
TEXTS = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md")), *sorted((TOP / "examples").rglob("*.md"))]
TOPOLOGIES = [path for path in sorted((TOP / "examples").rglob("*")) if path.suffix in (".xml", ".tcl", ".graphml") or path.name.endswith(".clab.yml")]
# {program: the Debian package that has it}
PROGRAMS = {
    "ping": "iputils-ping", "ip": "iproute2", "python3": "python3", "sysctl": "procps", "ngircd": "ngircd", "ii": "ii",
    "bash": "bash", "sh": "dash", "grep": "grep", "sed": "sed", "hostname": "hostname",
    **dict.fromkeys(("cat", "date", "mkdir", "rm", "sleep", "tail", "timeout", "truncate"), "coreutils"),
}  # fmt: skip
ESSENTIAL = {"bash", "coreutils", "dash", "grep", "hostname", "sed"}  # parts of every Debian system
BUILTINS = set(": [ cd echo exec exit export printf read set test true wait".split())
KEYWORDS = set("! { } if then elif else fi while until do done for".split())
IN_PAGES = (
    r"tb-set-node-(?:startcmd|startup)\s+\S+\s+(?:\{(.*?)\}$|\"(.*?)\"$)",
    r"<attribute>startup</attribute>\s*<value>(.*?)</value>",
    r"^\s*startup: \"(.*?)\"$",
)


def programs_of(command):
    """Yield the programs that a shell command starts, those inside $(…) and of ``sh -c`` included."""
    for inner in re.findall(r"\$\(([^()]*)\)", command):
        yield from programs_of(inner)
    words = list(shlex.shlex(command.replace("\n", " ; "), posix=True, punctuation_chars=True)) if command.strip() else []
    first, skip_to, place = True, "", 0
    while place < len(words):
        word = words[place]
        place += 1
        if skip_to:
            if word == skip_to or word == "esac":
                skip_to, first = "", True
        elif set(word) <= set("<>&") and set(word) & set("<>"):
            place += 1  # its file
        elif set(word) <= set(";&|()"):
            first, skip_to = True, ")" if word == ";;" else ""
        elif not first or word in KEYWORDS or word.isdigit() or re.fullmatch(r"\w+=.*", word):
            continue
        elif word == "case":
            skip_to, first = ")", False
        elif word == "exec":
            continue
        else:
            yield word
            first = False
            rest = words[place:place + 4]
            if word == "timeout":
                place, first = place + 1, True
            elif word in ("sh", "bash") and rest[:1] == ["-c"]:
                yield from programs_of(rest[1])


def start_commands():
    """Yield (file, start command) of all pages and topologies."""
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for pattern in IN_PAGES:
            for found in re.finditer(pattern, text, re.MULTILINE):
                yield path, unescape([group for group in found.groups() if group is not None][0])
    for path in TOPOLOGIES:
        for computer in read_topology(str(path))[0].computers:
            if computer.attribute("startup"):
                yield path, computer.attribute("startup")


COMMANDS = list(dict.fromkeys((path.relative_to(TOP).as_posix(), command) for path, command in start_commands()))


def own_packages(file):
    """Return the packages of the images that the settings beside an example describe."""
    settings = (TOP / file).with_name("site.yml")
    images = yaml.safe_load(settings.read_text(encoding="utf-8")).get("images", {}) if file.startswith("examples/") and settings.exists() else {}
    return {package for image in images.values() for package in image["build"]["packages"]}


@pytest.mark.parametrize(("file", "command"), COMMANDS, ids=[f"{file}-{number}" for number, (file, _command) in enumerate(COMMANDS)])
def test_start_command_uses_programs_that_all_images_and_pnodes_have(file, command):
    everywhere = {*recipe("debian-12", ROOT, "bookworm").packages} & {*recipe("debian-13", DISK, "trixie").packages} & {*PACKAGES} | ESSENTIAL
    for program in programs_of(command):
        if program not in BUILTINS:
            assert PROGRAMS.get(program) in everywhere | own_packages(file), f"{file}: {program!r} in {command!r}"


def test_commands_of_all_kinds_of_file_are_found():
    assert {Path(file).suffix for file, _command in COMMANDS} == {".md", ".xml", ".graphml", ".yml"}
    assert len(COMMANDS) > 12


@pytest.mark.parametrize(("command", "expected"), [
    ("ping -c 3 a > /tmp/x; ip route", ["ping", "ip"]),
    ("ping a && wget -q b | tee c", ["ping", "wget", "tee"]),
    ("cd /x; A=1 exec python3 -m http.server", ["cd", "python3"]),
    ("bash -c 'echo $(hostname) > /tmp/x; nc a 1'", ["hostname", "bash", "echo", "nc"]),
    ("(while :; do ii -i x; sleep 1; done) &\nexec 2> err\ntimeout 2 sh -c 'curl a'", [":", "ii", "sleep", "timeout", "sh", "curl"]),
    ("case \"$x\" in\n  a|b) ;;\n  c) nmap d ;;\nesac; date", ["nmap", "date"]),
])  # fmt: skip
def test_programs_of_a_command_are_found(command, expected):
    assert list(dict.fromkeys(programs_of(command))) == expected
