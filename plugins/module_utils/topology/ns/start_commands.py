# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's start command: at most one per node. A shell runs it, so it may have several lines."""

from __future__ import annotations

from .interpreter import SourceLocation
from .network import Node
from .reading import Reading

_LONGEST = 256


def set_start_command(reading: Reading, location: SourceLocation, node: Node, who: str, command: str) -> None:
    """Set the node's start command. Emulab refuses a second one and long ones; in the default profile the last one counts."""
    command = command.replace("\r\n", "\n")
    if "\0" in command:
        reading.found.error(location, f"{who} {node.name}", "the command holds a NUL character")
    if node.start_command is not None:
        if reading.profile.strict:
            reading.found.error(location, f"{who} {node.name}", "there is a start command already")
        else:
            reading.found.warn("second start commands", location, f"{who} {node.name}", "there is a start command already; this one takes its place")
    if reading.profile.strict and (len(command) > _LONGEST or not (command.isascii() and command.isprintable())):
        reading.found.error(location, f"{who} {node.name}", "the command is not of at most 256 printable ASCII characters")
    node.start_command = command
