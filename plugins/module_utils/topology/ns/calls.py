# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of the simulator, nodes, links, LANs and queues (ns.md §4)."""

from __future__ import annotations

from collections.abc import Sequence

from ..scope import shown
from .interpreter import SourceLocation
from .network import Medium, Node, Other, Queue
from .reading import Reading
from .start_commands import set_start_command
from .units import link_cost

PROTOCOLS = ("Session", "ospf", "Manual", "Static", "Static-ddijk", "Static-old", "none")
MOST_EVENTS = 14000
_LINK_EVENTS = ("bandwidth", "delay", "plr", "up", "down")
_IGNORED_OF_SIMULATOR = ("event-sequence", "event-timeline", "event-group", "make-path", "node-config", "make-simulated", "nsenode")
_IGNORED_OF_NODES = ("program-agent", "console", "topography", "add-desire")
_LIMITS = ("limit_", "queue-in-bytes_")
_RED = ("maxthresh_", "thresh_", "q_weight_", "linterm_", "bytes_", "mean_pktsize_", "wait_", "setbit_", "drop-tail_", "red_", "gentle_")


def call(reading: Reading, location: SourceLocation, kind: str, name: str, method: str, arguments: tuple[str, ...]) -> None:
    """Carry out ``name method arguments``, or report why that is not possible."""
    thing = reading.network.objects.get(name)
    if kind == "simulator":
        _call_simulator(reading, location, method, arguments)
    elif isinstance(thing, Node):
        _call_node(reading, location, thing, method, arguments)
    elif isinstance(thing, Medium):
        _call_medium(reading, location, thing, method, arguments)
    elif isinstance(thing, Queue):
        _call_queue(reading, location, thing, method, arguments)
    else:
        what = "it is an unknown object; " if kind == "null" else ""
        reading.found.warn("calls without effect", location, shown(name), f"{what}{shown(method)} has no effect")


def _unknown(reading: Reading, location: SourceLocation, what: str, method: str) -> None:
    reading.found.warn("methods that are not known", location, what, f"{shown(method)} is not known; it has no effect")


def _counted(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str], least: int, most: int | None = None) -> bool:
    """Check the number of arguments; report an error and return False if it is wrong."""
    most = least if most is None else most
    if least <= len(arguments) <= most:
        return True
    number = str(least) if least == most else f"{least} to {most}"
    reading.found.error(location, who, f"has {len(arguments)} arguments", f"there must be {number}")
    return False


# --- the simulator -----------------------------------------------------------------------------


def _call_simulator(reading: Reading, location: SourceLocation, method: str, arguments: Sequence[str]) -> None:
    methods = {"rtproto": _rtproto, "cost": _cost_between, "at": _at, "attach-agent": _attach_agent, "connect": _connect}
    if method in methods:
        methods[method](reading, location, arguments)
    elif method in _IGNORED_OF_SIMULATOR:
        reading.found.once(f"method {method}", location, method, "is accepted and has no effect")
    elif method not in ("define-template-parameter", "set"):
        _unknown(reading, location, "the simulator", method)


def _rtproto(reading: Reading, location: SourceLocation, arguments: Sequence[str]) -> None:
    if not arguments:
        reading.found.error(location, "rtproto", "names no protocol", "such as Static")
    elif arguments[0] not in PROTOCOLS:
        reading.found.warn("protocols", location, "rtproto", f"{shown(arguments[0])} is not known; it has no effect", "one of " + ", ".join(PROTOCOLS))
    else:
        reading.network.protocol = arguments[0]
        if len(arguments) > 1:
            reading.found.warn("arguments of rtproto", location, "rtproto", f"{shown(' '.join(arguments[1:]))} has no effect")


def _cost_between(reading: Reading, location: SourceLocation, arguments: Sequence[str]) -> None:
    if not _counted(reading, location, "cost", arguments, 3):
        return
    first, second = reading.node(location, "cost", arguments[0]), reading.node(location, "cost", arguments[1])
    if first is None or second is None:
        return
    medium = reading.network.between(first, second)
    if medium is None:
        reading.found.error(location, "cost", f"there is no link between {first.name} and {second.name}")
    else:
        _set_cost(reading, location, medium, arguments[2:])


def _set_cost(reading: Reading, location: SourceLocation, medium: Medium, arguments: Sequence[str]) -> None:
    if not _counted(reading, location, f"{medium.name} cost", arguments, 1):
        return
    try:
        medium.cost = link_cost(arguments[0])
    except ValueError as exc:
        reading.found.error(location, f"{medium.name} cost", *exc.args)


def _at(reading: Reading, location: SourceLocation, arguments: Sequence[str]) -> None:
    if not _counted(reading, location, "at", arguments, 2):
        return
    if reading.seconds(location, "at", arguments[0]) is None:
        return
    if not _few_enough(reading, location, arguments[1].count(";") + 1):
        return
    for event in filter(None, (part.strip() for part in arguments[1].split(";"))):
        words = event.split()
        if words[0] == "swapout":
            continue
        if len(words) < 2:
            reading.found.error(location, "at", f"{shown(event)} is no event", "an object and a command, such as link0 down")
            continue
        thing = reading.network.objects.get(words[0].removeprefix("$"))
        if thing is None:
            reading.found.error(location, "at", f"there is no object {shown(words[0])}", "an object and a command, such as link0 down")
        elif isinstance(thing, Medium) and words[1].lower() in _LINK_EVENTS:
            reading.found.once("events of links", location, "at", f"{shown(event)}: events that change links are not carried out")
    reading.found.once("events", location, "at", "events are not carried out", "a start command, or a playbook of your own, can do it")


def _few_enough(reading: Reading, location: SourceLocation, more: int) -> bool:
    before = reading.network.events
    reading.network.events += more
    if before <= MOST_EVENTS < reading.network.events:
        reading.found.error(location, "at", f"there are more than {MOST_EVENTS:,} events")
    return reading.network.events <= MOST_EVENTS


def _attach_agent(reading: Reading, location: SourceLocation, arguments: Sequence[str]) -> None:
    if _counted(reading, location, "attach-agent", arguments, 2):
        thing = reading.network.objects.get(arguments[0])
        if not isinstance(thing, Other):
            reading.node(location, "attach-agent", arguments[0])
        reading.found.once("traffic", location, "attach-agent", "traffic agents are accepted and have no effect")


def _connect(reading: Reading, location: SourceLocation, arguments: Sequence[str]) -> None:
    if _counted(reading, location, "connect", arguments, 2):
        for text in arguments:
            if not isinstance(reading.network.objects.get(text), Other):
                reading.found.error(location, "connect", f"{shown(text)} is not an agent")
        reading.found.once("connect", location, "connect", "traffic agents are accepted and have no effect")


# --- nodes ---------------------------------------------------------------------------------------


def _call_node(reading: Reading, location: SourceLocation, node: Node, method: str, arguments: Sequence[str]) -> None:
    who = f"{node.name} {method}"
    if method == "add-route":
        _add_route(reading, location, node, arguments)
    elif method == "start-command":
        if _counted(reading, location, who, arguments, 1):
            set_start_command(reading, location, node, who, arguments[0])
    elif method in _IGNORED_OF_NODES:
        if method == "program-agent":
            _program_agent(reading, location, who, arguments)
        reading.found.once(f"method {method}", location, who, "is accepted and has no effect", "a start command can do it" if method == "program-agent" else "")
    elif method != "set":
        _unknown(reading, location, f"node {node.name}", method)


def _add_route(reading: Reading, location: SourceLocation, node: Node, arguments: Sequence[str]) -> None:
    """Add a static route to ``node``; adjacency and the number of interfaces are checked at the end of the file."""
    who = f"{node.name} add-route"
    if not _counted(reading, location, who, arguments, 2):
        return
    destination = reading.destination(location, who, arguments[0])
    hop = reading.node(location, who, arguments[1])
    if destination is not None and hop is not None:
        node.routes.append((destination, hop, location))


def _program_agent(reading: Reading, location: SourceLocation, who: str, arguments: Sequence[str]) -> None:
    given = dict(zip(arguments[::2], arguments[1::2]))
    if "\n" in given.get("-command", ""):
        reading.found.error(location, who, "the command holds a newline", "one line")
    if "-timeout" in given:
        reading.seconds(location, f"{who} -timeout", given["-timeout"])


# --- links, LANs and their queues ------------------------------------------------------------------


def _call_medium(reading: Reading, location: SourceLocation, medium: Medium, method: str, arguments: Sequence[str]) -> None:
    if method == "cost":
        _set_cost(reading, location, medium, arguments)
    elif method in ("trace", "trace_endnode"):
        reading.found.once(f"method {method}", location, f"{medium.name} {method}", "is accepted and has no effect")
    elif method != "set":
        _unknown(reading, location, f"{'LAN' if medium.kind == 'lan' else 'link'} {medium.name}", method)


def _call_queue(reading: Reading, location: SourceLocation, queue: Queue, method: str, arguments: Sequence[str]) -> None:
    who = f"queue of {queue.ends.medium.name}"
    if method != "set":
        _unknown(reading, location, who, method)
        return
    variable, value = arguments
    if variable in _LIMITS:
        number = reading.whole(location, f"{who}, {variable}", value, 1 if variable == "limit_" else 0, 10**9 if variable == "limit_" else 1)
        if number is not None:
            queue.ends.member.queue[variable] = number
    elif variable in _RED:
        reading.found.once(f"queue variable {variable}", location, f"{who}, {variable}", "has no effect: queues are DropTail")
    else:
        reading.found.warn("variables of queues", location, who, f"there is no variable {shown(variable)}; it has no effect")
