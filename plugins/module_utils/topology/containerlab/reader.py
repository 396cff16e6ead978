# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of containerlab topologies (https://containerlab.dev/manual/topo-def-file/).

It converts nodes, links, kinds and images, and exec to a start command. All errors of a file are reported at once; warnings report what was
not carried over.
"""

from __future__ import annotations

import math
import re

from ...errors import Problem
from ..attributes import CPUS, MEMORY, NODE_TYPE, PREFIX, STARTUP
from ..imports.draft import LABEL, Draft
from ..imports.yaml_source import Mapping, load_yaml
from ..model import Topology
from ..problem_log import ProblemLog
from ..scope import shown
from .commands import fault, joined, shell_characters
from .definitions import Definition, Definitions, line_of, mapping_of
from .kinds import BRIDGES, LEFT_OUT, node_type
from .links import Links

# Maximum total length of all nodes' start commands; a command of the defaults counts once per node.
_MOST_OF_COMMANDS = 16 * 2**20
_OURS = ("name", "topology")
_OF_TOPOLOGY = ("defaults", "kinds", "groups", "nodes", "links")
_OF_NODES = ("kind", "group", "image", "exec", "memory", "cpu")
_DEBIAN = re.compile(r"(?:.*/)?debian:(?:(12|bookworm)|13|trixie)(?:-slim)?", re.IGNORECASE)
_MEMORY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(?:([kmg])i?b?|b)?", re.IGNORECASE)
_MEBIBYTES = {"": 2**-20, "k": 2**-10, "m": 1, "g": 1024}


def read_containerlab_text(text: bytes, source: str) -> tuple[Topology, tuple[Problem, ...]]:
    """Return (the topology of a containerlab file's content, warnings). Raises InputError with all errors of the file."""
    problems = ProblemLog(source)
    root = load_yaml(text, problems)
    problems.raise_errors()
    if not isinstance(root, Mapping) or "topology" not in root.items:
        problems.error(0, "", "there is no topology in it" if root else "is empty", "topology: and below it nodes: and links:")
        problems.raise_errors()
    topology = _Lab(root, problems).topology()
    problems.raise_errors()
    return topology, problems.warnings()


class _Lab:
    """A containerlab file being read."""

    def __init__(self, root: Mapping, problems: ProblemLog):
        self.problems = problems
        self.root = root
        self.body = mapping_of(root, "topology", problems)
        self.definitions = Definitions(self.body, problems)
        self.draft = Draft(problems)
        self.things: dict = {}
        self.absent: set[str] = set()
        self._of_commands = 0

    def topology(self) -> Topology:
        for mapping, known in ((self.root, _OURS), (self.body, _OF_TOPOLOGY)):
            for key in mapping.items:
                if key not in known:
                    self.problems.warn("settings of the lab", line_of(mapping, key), shown(key), "is not carried over")
        nodes = mapping_of(self.body, "nodes", self.problems)
        self.draft.refuse_too_many(len(nodes.items))
        for name in nodes.items:
            self._node(name, mapping_of(nodes, name, self.problems), line_of(nodes, name))
        Links(self.problems, self.draft, self.things, self.absent).read(self.body)
        return self.draft.topology()

    def _node(self, name: str, own: Mapping, line: int) -> None:
        label = f"node {shown(name)}"
        definition = self.definitions.of_node(own, label)
        kind = self.definitions.kind_of(definition)
        if kind in LEFT_OUT:
            self.problems.warn("nodes that are left out", line, label, f"is left out: {LEFT_OUT[kind]}")
            self.absent.add(name)
            return
        if kind in BRIDGES:
            self.things[name] = self.draft.lan(name, line)
        else:
            pairs = [*self._kind(kind, line, label), *self._start_command(definition, label), *self._size(definition, line, label)]
            osid, image = self._image(definition, line, label)
            self.things[name] = machine = self.draft.machine(name, line, [*pairs, *image], osid)
            if machine.name != name:
                machine.attributes.append((LABEL, name))
        is_machine = kind not in BRIDGES
        self._report_rest(definition if is_machine else Definition((own,)), line, label, is_machine)

    def _kind(self, kind: str, line: int, label: str) -> list[tuple[str, str]]:
        if not kind:
            self.problems.warn("nodes without a kind", line, label, "has no kind; it gets the default kind of the site", "kind: linux")
            return []
        ours = node_type(kind)
        if kind != "linux":
            message = f"the software of kind {shown(kind)} is not carried over; the node is a bare one of kind {ours}"
            self.problems.warn("kinds of nodes", line, label, message)
        return [(PREFIX + NODE_TYPE, ours)] + ([("containerlab:kind", kind)] if kind != "linux" else [])

    def _image(self, definition: Definition, line: int, label: str) -> tuple[str, list[tuple[str, str]]]:
        """Return (the operating system that selects an image, attributes)."""
        image = definition.text("image")
        debian = _DEBIAN.fullmatch(image)
        if debian:
            return ("debian-12" if debian.group(1) else "debian-13"), []
        if image:
            hint = "give the node an image of the site's catalogue"
            self.problems.warn("images of nodes", line, label, f"its image {shown(image)} is kept as an attribute, without effect", hint)
        return "", [("containerlab:image", image)] if image else []

    def _start_command(self, definition: Definition, label: str) -> list[tuple[str, str]]:
        commands = []
        for command in definition.texts("exec"):
            wrong = fault(command.text)
            if wrong:
                self.problems.warn("commands that are left out", command.line, label, f"the command {shown(command.text)} is left out: {wrong}")
                continue
            obeyed = shell_characters(command.text)
            if obeyed:
                message = f"{' '.join(obeyed)} in {shown(command.text)} is a shell's here; containerlab gives it to the program"
                self.problems.warn("commands with characters of a shell", command.line, label, message)
            commands.append(command.text)
        self._of_commands += sum(map(len, commands))
        if self._of_commands > _MOST_OF_COMMANDS:
            self.problems.error(0, label, "with it, the start commands of all nodes are too long together", "a script that they call")
            self.problems.raise_errors()
        return [(STARTUP, joined(commands))] if commands else []

    def _size(self, definition: Definition, line: int, label: str) -> list[tuple[str, str]]:
        pairs = []
        memory, cpu = definition.text("memory"), definition.text("cpu")
        found = _MEMORY.fullmatch(memory)
        if found:
            mebibytes = math.ceil(float(found.group(1)) * _MEBIBYTES[(found.group(2) or "").lower()])
            pairs.append((PREFIX + MEMORY, f"{mebibytes}M"))
        elif memory:
            self.problems.error(line, label, f"its memory {shown(memory)} is not a size", "such as 512MB or 2GB")
        if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", cpu) and float(cpu) > 0:
            pairs.append((PREFIX + CPUS, str(math.ceil(float(cpu)))))
        elif cpu:
            self.problems.error(line, label, f"its cpu {shown(cpu)} is not a number of processors", "such as 2")
        return pairs

    def _report_rest(self, definition: Definition, line: int, label: str, is_machine: bool) -> None:
        known = _OF_NODES if is_machine else ("kind", "group")
        rest = [key for key in definition.keys() if key not in known]
        if rest:
            verb = "is" if len(rest) == 1 else "are"
            message = f"{', '.join(shown(key)[1:-1] for key in rest[:12])} {verb} not carried over"
            self.problems.warn("nodes with settings that are not carried over", line, label, message)
