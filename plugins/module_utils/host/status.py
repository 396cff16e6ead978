# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true of an experiment on this vhost now."""

from __future__ import annotations

from . import netlink
from .namespaces import Registry, home
from .network import ours
from .place import Place
from .plan_file import read_plan
from .prepare import systemctl
from .start_command import outcome


def status(place: Place) -> dict:
    """The state of every node and substrate.

    Returns {"changed": False, "unit": "active", "nodes": {name: {"kind", "state", "start_command",
    "exit_status"}}, "substrates": {name: "up" or "missing"}}: state is ``booted`` or ``missing``;
    start_command is "" for none, else ``waiting``, ``running``, ``ended``, ``failed`` or ``lost``;
    exit_status an integer or None. Raises HostError.
    """
    plan = read_plan(place)
    live = {name for name, link in netlink.links().items() if ours(link, place)}
    with home() as origin:
        registry = Registry(place)
        built, started = (registry.nodes(), registry.started()) if registry.open(origin) else (set(), set())
        registry.close()
    return {
        "changed": False,
        "unit": systemctl("show", "--value", "--property=ActiveState", place.unit).stdout.strip(),
        "nodes": {vnode.name: _node(place, vnode, built, started) for vnode in plan.vnodes},
        "substrates": {substrate.name: "up" if substrate.bridge in live else "missing" for substrate in plan.substrates},
    }


def _node(place: Place, vnode, built: set[str], started: set[str]) -> dict:
    run = outcome(place, vnode.name) if vnode.start_command and vnode.name in started else None
    state = (run or {}).get("state", "running" if vnode.name in started else "waiting")
    return {
        "kind": vnode.kind,
        "state": "booted" if vnode.name in built else "missing",
        "start_command": state if vnode.start_command else "",
        "exit_status": (run or {}).get("exit_status"),
    }
