# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ``tb-`` commands: their arguments and their effect (ns.md §5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..scope import shown
from .interpreter import SourceLocation
from .network import Attachment, Node
from .reading import Reading
from .shaping_commands import SHAPING
from .start_commands import set_start_command

FAILURE_ACTIONS = ("fatal", "nonfatal", "ignore")
_ENCAPSULATIONS = ("alias", "gre", "egre", "vtun", "veth", "veth-ne", "vlan")
_SECURITY = ("Green", "Blue", "Yellow", "Orange")
_TAR_NAMES = (".tar", ".tar.Z", ".tar.gz", ".tgz", ".tar.bz2")
NFS_ROOTS = ("/proj", "/groups", "/users", "/share", "/scratch")
_MOST_WORDS = 1000
_NETMASK_TOP = 0xFFFF0000


@dataclass(frozen=True)
class Command:
    """A command: run(reading, location, command, arguments), and the allowed number of arguments (most None: any number)."""

    run: Callable
    least: int
    most: int | None = None


def run(reading: Reading, location: SourceLocation, name: str, arguments: tuple[str, ...]) -> None:
    """Run a command, or report why that is not possible."""
    if not reading.network.compatible:
        reading.network.first_testbed_command = reading.network.first_testbed_command or (location, name)
    command = COMMANDS[name]
    if len(arguments) < command.least or command.most is not None and len(arguments) > command.most:
        most = "" if command.most == command.least else " or more" if command.most is None else f" to {command.most}"
        reading.found.error(location, name, f"has {len(arguments)} arguments", f"there must be {command.least}{most}")
        return
    command.run(reading, location, name, arguments)


# --- addresses ---------------------------------------------------------------------------------


def _set_ip(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    node = reading.node(location, who, arguments[0])
    ip = reading.address(location, who, arguments[1])
    if node is None:
        return
    if len(node.attachments) != 1:
        number = len(node.attachments) or "no"
        reading.found.error(location, who, f"{node.name} has {number} connections", "it must have one; tb-set-ip-link and tb-set-ip-lan say which")
        return
    _fix(node.attachments[0], location, ip)


def _set_ip_on(kind: str) -> Callable:
    def set_ip(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
        node = reading.node(location, who, arguments[0])
        attachment = reading.attachment(location, who, node, reading.medium(location, who, arguments[1], kind))
        _fix(attachment, location, reading.address(location, who, arguments[2]))

    return set_ip


def _set_ip_interface(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    node, peer = reading.node(location, who, arguments[0]), reading.node(location, who, arguments[1])
    ip = reading.address(location, who, arguments[2])
    if node is None or peer is None:
        return
    medium = reading.network.between(node, peer)
    if medium is None:
        reading.found.error(location, who, f"there is no connection between {node.name} and {peer.name}")
        return
    _fix(medium.attachment(node), location, ip)


def _fix(attachment: Attachment | None, location: SourceLocation, ip: str | None) -> None:
    if attachment is not None and ip is not None:
        attachment.ip, attachment.ip_place = ip, location


def _set_netmask(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    medium = reading.medium(location, who, arguments[0])
    mask = reading.address(location, who, arguments[1])
    if mask is None:
        return
    number = int.from_bytes(bytes(int(part) for part in mask.split(".")), "big")
    if number & _NETMASK_TOP != _NETMASK_TOP:
        reading.found.error(location, who, f"the netmask {mask} is too large", "255.255.0.0 or smaller, such as 255.255.255.0")
    elif (~number & 0xFFFFFFFF) & ((~number & 0xFFFFFFFF) + 1):
        reading.found.error(location, who, f"{mask} is not a netmask", "such as 255.255.255.0")
    elif medium is not None:
        medium.netmask = mask


# --- nodes -------------------------------------------------------------------------------------


def _of_node(act: Callable) -> Callable:
    """Return a command whose first argument is a node."""

    def command(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
        node = reading.node(location, who, arguments[0])
        if node is not None:
            act(reading, location, who, node, arguments[1:])

    return command


def _hardware(_reading: Reading, _place: SourceLocation, _who: str, node: Node, arguments: Sequence[str]) -> None:
    node.hardware = arguments[0]


def _node_os(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    node.os = arguments[0]
    if len(arguments) > 1:
        reading.found.once("parents of operating systems", location, who, f"the parent {shown(arguments[1])} has no effect")


def _start(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    set_start_command(reading, location, node, who, arguments[0])


def _rpms(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    for url in _words(reading, location, who, arguments):
        node.software.append((url, None))


def _tarfiles(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    words = _words(reading, location, who, arguments)
    if len(words) % 2:
        reading.found.error(location, who, "there must be pairs of a directory and a tar file", "tb-set-node-tarfiles $node /usr/local /proj/P/x.tar.gz")
        return
    for folder, url in zip(words[::2], words[1::2]):
        if is_shared(folder):
            reading.found.error(location, who, f"nothing is unpacked in {folder}", "such as /usr/local")
        elif not folder.startswith("/"):
            complaint = (location, who, f"the directory {shown(folder)} is not absolute", "such as /usr/local")
            if reading.profile.strict:
                reading.found.error(*complaint)
            else:
                reading.found.warn("directories of tar files", *complaint)
        if reading.profile.strict and not url.endswith(_TAR_NAMES):
            reading.found.error(location, who, f"{shown(url)} is not a tar file", "one whose name ends with " + ", ".join(_TAR_NAMES))
        node.software.append((url, folder))


def is_shared(folder: str) -> bool:
    """Return whether ``folder`` is shared by all nodes of an Emulab site."""
    return any((folder + "/").startswith(root + "/") for root in NFS_ROOTS)


def _words(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> list[str]:
    """Return several arguments, or the words of a single one."""
    words = arguments[0].split() if len(arguments) == 1 else list(arguments)
    if len(words) > _MOST_WORDS:
        reading.found.error(location, who, f"names {len(words):,} things", f"at most {_MOST_WORDS:,}")
        return []
    return words


def _failure_action(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    node.failure_action = reading.one_of(location, who, arguments[0], FAILURE_ACTIONS)


def _node_attribute(reading: Reading, location: SourceLocation, who: str, node: Node, arguments: Sequence[str]) -> None:
    _add(reading, location, who, node.attributes, *arguments)


def _add(reading: Reading, location: SourceLocation, who: str, attributes: list, name: str, value: str) -> None:
    if not name:
        reading.found.error(location, who, "an attribute needs a name")
        return
    if any(name == other for other, _value in attributes):
        reading.found.warn("repeated attributes", location, who, f"attribute {shown(name)} stands twice; the first one counts")
    attributes.append((name, value))


def _fix_node(_reading: Reading, _place: SourceLocation, _who: str, node: Node, arguments: Sequence[str]) -> None:
    node.fixed = arguments[0]


def _node_testbed(_reading: Reading, _place: SourceLocation, _who: str, node: Node, arguments: Sequence[str]) -> None:
    node.testbed = arguments[0]


def _sync_server(reading: Reading, _place: SourceLocation, _who: str, node: Node, _arguments: Sequence[str]) -> None:
    reading.network.sync_server = node


# --- the rest ------------------------------------------------------------------------------------


def _default_failure_action(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    reading.network.default_failure_action = reading.one_of(location, who, arguments[0], FAILURE_ACTIONS)


def _link_failure_action(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    medium = reading.medium(location, who, arguments[0])
    action = reading.one_of(location, who, arguments[1], FAILURE_ACTIONS[:2])
    if medium is not None and action is not None:
        medium.attributes.append(("failureaction", action))


def _network_attribute(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    medium = reading.medium(location, who, arguments[0])
    if medium is not None:
        _add(reading, location, who, medium.attributes, *arguments[1:])


def _interface_attribute(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    attachment = reading.attachment(location, who, reading.node(location, who, arguments[0]), reading.medium(location, who, arguments[1]))
    if attachment is not None:
        _add(reading, location, who, attachment.attributes, *arguments[2:])


def _vtype(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    """Define a set of hardware types under one name; a node gets one of them."""
    strength = {"tb-make-soft-vtype": "soft", "tb-make-hard-vtype": "hard"}.get(who, "weighted")
    name, *rest = arguments
    if strength == "weighted":
        weight = rest.pop(0)
        if not re.fullmatch(r"0?\.[0-9]*[1-9][0-9]*", weight):
            reading.found.error(location, who, f"{shown(weight)} is no weight", "a number between 0 and 1")
        strength = weight
    types = " ".join(_words(reading, location, who, rest))
    if not types:
        reading.found.error(location, who, "names no type of hardware")
    reading.network.attributes.append((f"containers:vtype:{name}", f"{strength} {types}"))


def _ip_routing(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    kind = reading.one_of(location, who, arguments[0], ("none", "ospf"))
    if kind is not None:
        reading.network.attributes.append(("containers:ip_routing", kind))


def _ignored(reading: Reading, location: SourceLocation, who: str, _arguments: Sequence[str]) -> None:
    reading.found.once(who, location, who, "is accepted and has no effect")


def _deltas(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    """Ignore a command that Emulab's own tests still use, although no site has it any more."""
    if reading.profile.strict:
        reading.found.error(location, who, "there is no such command any more", "tb-set-node-tarfiles or tb-set-node-rpms")
    else:
        _ignored(reading, location, who, arguments)


def _ignored_number(least: int, most: int) -> Callable:
    def command(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
        reading.whole(location, who, arguments[-1], least, most)
        _ignored(reading, location, who, arguments)

    return command


def _ignored_word(allowed: Sequence[str]) -> Callable:
    def command(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
        reading.one_of(location, who, arguments[-1], allowed)
        _ignored(reading, location, who, arguments)

    return command


_WITHOUT_EFFECT = """
    use-endnodeshaping force-endnodeshaping set-endnodeshaping set-multiplexed set-useveth set-encapsulate set-allowcolocate
    use-ipassign set-ipassign-args set-link-est-bandwidth set-lan-est-bandwidth set-node-lan-est-bandwidth
    set-link-backfill set-lan-backfill set-node-lan-backfill set-link-simplex-backfill set-lan-simplex-backfill
    set-lan-protocol set-link-protocol set-link-layer set-lan-accesspoint set-lan-setting set-node-lan-setting fix-interface use-physnaming
    set-jail-os set-delay-os set-sim-os set-delay-capacity set-node-cmdline set-node-loadlist set-node-id set-node-service
    add-node-service-hook set-tarfiles set-node-usesharednode set-node-sharingmode set-uselatestwadata set-usewatunnels set-wasolver-weights
    elab-in-elab elab-in-elab-topology set-inner-elab-eid set-elabinelab-cvstag elabinelab-singlenet set-elabinelab-attribute
    unset-elabinelab-attribute set-elabinelab-role-attribute unset-elabinelab-role-attribute set-node-inner-elab-role
    set-node-plab-role set-node-plab-plcnet set-dpdb bind-parent fix-current-resources allow-external feedback-vnode feedback-vlan
    feedback-vlink use-modelnet set-modelnet-physnodes set-use-oml set-oml-server set-oml-use-control set-oml-mp
""".split()

COMMANDS = {
    "tb-set-ip": Command(_set_ip, 2, 2),
    "tb-set-ip-link": Command(_set_ip_on("link"), 3, 3),
    "tb-set-ip-lan": Command(_set_ip_on("lan"), 3, 3),
    "tb-set-ip-interface": Command(_set_ip_interface, 3, 3),
    "tb-set-netmask": Command(_set_netmask, 2, 2),
    "tb-set-hardware": Command(_of_node(_hardware), 2),
    "tb-set-node-os": Command(_of_node(_node_os), 2, 3),
    "tb-set-node-startcmd": Command(_of_node(_start), 2, 2),
    "tb-set-node-startup": Command(_of_node(_start), 2, 2),
    "tb-set-node-rpms": Command(_of_node(_rpms), 2),
    "tb-set-node-tarfiles": Command(_of_node(_tarfiles), 2),
    "tb-set-node-deltas": Command(_deltas, 2),
    "tb-set-node-failure-action": Command(_of_node(_failure_action), 2, 2),
    "tb-set-default-failure-action": Command(_default_failure_action, 1, 1),
    "tb-set-link-failure-action": Command(_link_failure_action, 2, 2),
    "tb-add-node-attribute": Command(_of_node(_node_attribute), 3, 3),
    "tb-add-network-attribute": Command(_network_attribute, 3, 3),
    "tb-add-interface-attribute": Command(_interface_attribute, 4, 4),
    "tb-fix-node": Command(_of_node(_fix_node), 2, 2),
    "tb-make-soft-vtype": Command(_vtype, 2),
    "tb-make-hard-vtype": Command(_vtype, 2),
    "tb-make-weighted-vtype": Command(_vtype, 3),
    "tb-set-sync-server": Command(_of_node(_sync_server), 1, 1),
    "tb-set-ip-routing": Command(_ip_routing, 1, 1),
    "tb-set-node-testbed": Command(_of_node(_node_testbed), 2, 2),
    "tb-set-vlink-emulation": Command(_ignored_word(_ENCAPSULATIONS), 1, 1),
    "tb-set-link-encap": Command(_ignored_word(_ENCAPSULATIONS), 2, 2),
    "tb-set-colocate-factor": Command(_ignored_number(1, 100), 1, 1),
    "tb-set-mem-usage": Command(_ignored_number(1, 5), 1, 1),
    "tb-set-cpu-usage": Command(_ignored_number(1, 5), 1, 1),
    "tb-set-security-level": Command(_ignored_word(_SECURITY), 1, 1),
    **{name: Command(*command) for name, command in SHAPING.items()},
    **{f"tb-{name}": Command(_ignored, 0) for name in _WITHOUT_EFFECT},
}
