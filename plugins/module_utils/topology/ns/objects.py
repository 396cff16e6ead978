# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The creation of objects: nodes, links, all kinds of LANs, and the classes of ``new`` (ns.md §4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..scope import shown
from .interpreter import SourceLocation
from .network import Ends, Medium, Node, Other, Queue
from .reading import Reading

QUEUES = ("DropTail", "RED", "GRED")
_DELAYS = ("static", "normal", "poisson", "exponential")
_LOSSES = ("static", "poisson")
_MEAN = re.compile(r"([0-9]{1,9})(?:ms)?")
_DEFAULT_KBPS = 1_000_000


def create(reading: Reading, location: SourceLocation, kind: str, name: str, arguments: tuple[str, ...]) -> None:
    """Create an object of the file under its provisional name."""
    makers = {"node": _node, "bridge": _node, "link": _link, "lan": _lan, "ends": _ends, "queue": _queue}
    if kind in makers:
        makers[kind](reading, location, kind, name, arguments)
    else:
        reading.network.objects[name] = Other(kind)


def create_other(reading: Reading, location: SourceLocation, name: str, kind: str, arguments: tuple[str, ...]) -> None:
    """Create an object of a class that is unsupported or unknown."""
    reading.network.objects[name] = Other(kind)
    if name.startswith("null"):
        reading.found.warn("classes that are not known", location, f"new {shown(kind)}", "there is no such class; what is done with the object has no effect")
    elif kind == "Program" and not _program_has_a_place(reading, arguments):
        reading.found.error(location, "new Program", "wants the simulator", "[new Program $ns]")
    else:
        reading.found.once(f"class {kind}", location, f"new {kind}", "is accepted and has no effect")


def _program_has_a_place(reading: Reading, arguments: Sequence[str]) -> bool:
    thing = reading.network.objects.get(arguments[0]) if arguments else None
    return isinstance(thing, Other) and thing.kind == "simulator"


def _node(reading: Reading, location: SourceLocation, kind: str, name: str, arguments: Sequence[str]) -> None:
    node = Node(name, location, bridge=kind == "bridge")
    reading.network.objects[name] = node
    reading.network.nodes.append(node)
    if arguments:
        reading.found.warn("arguments of nodes", location, kind, f"its arguments have no effect: {shown(' '.join(arguments))}")


def _link(reading: Reading, location: SourceLocation, _sort: str, name: str, arguments: Sequence[str]) -> None:
    first, second, bandwidth, delay, queue, *more = arguments
    who = "duplex-link"
    if more:
        reading.found.warn("arguments of links", location, who, f"more than five arguments: {shown(' '.join(more))} has no effect")
    if queue not in QUEUES:
        reading.found.warn("queues", location, who, f"the queue {shown(queue)} is not known; it is a DropTail", "DropTail, RED or GRED")
    elif queue != "DropTail":
        reading.found.warn("queues", location, who, f"the queue {queue} behaves as a DropTail here")
    _medium(reading, location, "link", name, (first, second), who, bandwidth, delay)


def _lan(reading: Reading, location: SourceLocation, _sort: str, name: str, arguments: Sequence[str]) -> None:
    who, number, *texts = arguments
    nodes, rest = texts[: int(number)], texts[int(number) :]
    if who in ("make-new-lan", "make-deter-lan"):
        _deter_lan(reading, location, name, nodes, who, rest)
        return
    bandwidth, delay, *more = rest
    if more:
        reading.found.warn("arguments of LANs", location, who, f"more than three arguments: {shown(' '.join(more))} has no effect")
    _medium(reading, location, "lan", name, nodes, who, bandwidth, delay)


def _medium(reading: Reading, location: SourceLocation, kind: str, name: str, nodes: Iterable[str], who: str, bandwidth: str, delay: str) -> Medium:
    """Create a link or LAN; each hop gets half of the delay, in both directions."""
    kbps = reading.bandwidth(location, who, bandwidth)
    delay_ms = reading.delay(location, who, delay)
    if kind == "lan" and reading.profile.whole_ms and delay_ms and delay_ms % 2:
        reading.found.warn("odd delays of LANs", location, who, f"a delay of {delay_ms:g} ms is rounded at an Emulab site: each hop has half of it")
    return _joined(reading, location, kind, name, nodes, who, kbps or 0, (delay_ms or 0.0) / 2)


def _joined(reading: Reading, location: SourceLocation, kind: str, name: str, nodes: Iterable[str], who: str, kbps: int, hop_ms: float,
            hop_loss: float = 0.0) -> Medium:
    medium = Medium(name, location, kind)
    reading.network.objects[name] = medium
    reading.network.media.append(medium)
    for text in nodes:
        node = reading.node(location, who, text)
        if node is not None and medium.attachment(node) is not None:
            what = "a link cannot lead from a node to itself" if kind == "link" else "is a member twice"
            reading.found.error(location, f"{who} {node.name}", what)
        elif node is not None:
            medium.join(node, hop_ms, kbps, hop_loss)
    return medium


def _deter_lan(reading: Reading, location: SourceLocation, name: str, nodes: Iterable[str], who: str, rest: Sequence[str]) -> None:
    """Create a DETER LAN. A delay or loss with a random distribution is replaced by its mean."""
    given = _keywords(reading, location, who, rest)
    kbps = reading.bandwidth(location, who, given["bw"]) if "bw" in given else _DEFAULT_KBPS
    mean = 0.0
    if "delay" in given:
        kind = reading.one_of(location, f"{who}, delay", given["delay"], _DELAYS)
        found = _MEAN.fullmatch(given.get("mean", ""))
        if not found:
            wrong = f"the mean is {shown(given['mean'])}" if "mean" in given else "the mean is missing"
            reading.found.error(location, f"{who}, delay", wrong, "such as mean 30ms")
        if kind == "normal" and "std" not in given:
            reading.found.error(location, f"{who}, delay", "a normal delay needs its deviation", "such as std 5")
        if kind not in (None, "static"):
            reading.found.warn("kinds of delay", location, who, f"a {kind} delay is always its mean here")
        mean = float(found.group(1)) if found else 0.0
    hop_loss = _deter_loss(reading, location, who, given) if "loss" in given else 0.0
    _joined(reading, location, "lan", name, nodes, who, kbps or 0, mean / 2, hop_loss)


def _deter_loss(reading: Reading, location: SourceLocation, who: str, given: dict[str, str]) -> float:
    """Return the loss of each hop: a threshold T results in 1-(1-T)² from node to node."""
    kind = reading.one_of(location, f"{who}, loss", given["loss"], _LOSSES)
    if kind not in (None, "static"):
        reading.found.warn("kinds of loss", location, who, f"a {kind} loss is static here")
    if "rate" in given:
        reading.whole(location, f"{who}, rate", given["rate"], 1, 2**31 - 1)
    else:
        reading.found.error(location, f"{who}, loss", "the rate is missing", "such as rate 1")
    threshold = reading.loss(location, f"{who}, threshold", given["threshold"]) if "threshold" in given else None
    if "threshold" not in given or threshold in (0, 1):
        reading.found.error(location, f"{who}, loss", "the threshold is missing or 0 or 1", "such as threshold 0.01")
    return threshold or 0.0


def _keywords(reading: Reading, location: SourceLocation, who: str, rest: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    words = list(rest)
    known = ("bw", "delay", "mean", "std", "loss", "threshold", "rate")
    while words:
        key = words.pop(0)
        if key not in known:
            reading.found.error(location, who, f"{shown(key)} is not known", "one of " + ", ".join(known))
        elif not words:
            reading.found.error(location, who, f"{key} has no value")
        elif key in given:
            reading.found.error(location, who, f"{key} stands twice")
            words.pop(0)
        else:
            given[key] = words.pop(0)
    return given


def _ends(reading: Reading, location: SourceLocation, _sort: str, name: str, arguments: Sequence[str]) -> None:
    ends = _ends_of(reading, location, *arguments)
    if ends:
        reading.network.objects[name] = ends


def _queue(reading: Reading, location: SourceLocation, _sort: str, name: str, arguments: Sequence[str]) -> None:
    ends = _ends_of(reading, location, *arguments)
    if ends:
        reading.network.objects[name] = Queue(ends)


def _ends_of(reading: Reading, location: SourceLocation, medium_name: str, end: str) -> Ends | None:
    """Return one direction of a medium; None after an error.

    ``to`` starts at a link's first node, ``from`` at its second one. For a LAN, ``end`` is the name of a node.
    """
    medium = reading.medium(location, "queue", medium_name)
    if medium is None or not medium.members:
        return None
    if end in ("to", "from"):
        return Ends(medium, medium.members[0 if end == "to" else -1])
    member = reading.attachment(location, "lanlink", reading.node(location, "lanlink", end), medium)
    return Ends(medium, member) if member else None
