# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The events of a watched experiment as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line

from .view import NOT_YET, NOTHING, UNKNOWN

_WIDTH = 500


def event_lines(event: Mapping[str, Any]) -> list[str]:
    """Return an event as lines that begin with its time. A snapshot has a line for each vhost that is not well, and for each node of the others."""
    return [clean_line(f"{event.get('time', '')} {text}", _WIDTH) for text in _texts(event)]


def command_text(node: Mapping[str, Any]) -> str:
    """Return the state of a start command: ``exit 0``, its state, or ``-`` where there is none."""
    return f"exit {node['exit_status']}" if node["start_command"] == "ended" else node["start_command"] or "-"


def state_text(node: Mapping[str, Any]) -> str:
    """Return the state of a node, of a dead one with its exit code."""
    return f"dead ({node['exit_code']})" if node["state"] == "dead" and node["exit_code"] is not None else str(node["state"])


def vhost_text(name: str, vhost: Mapping[str, Any]) -> str:
    """Return what is wrong with a vhost as a sentence, "" if nothing is or nobody knows yet."""
    if vhost["reason"] == NOT_YET:
        return ""
    if vhost["reason"] == NOTHING:
        return f"{name} has nothing of the experiment"
    if not vhost["reachable"]:
        return f"{name} cannot be reached: {vhost['reason']}"
    if vhost["startup"] and vhost["startup"][0]:
        return f"{name} is not set up: {vhost['startup'][1]}"
    return ""


def experiment_text(event: Mapping[str, Any]) -> str:
    """Return the state of the experiment as a sentence."""
    return f"experiment {event['experiment']} is {event['state']}" + (f": {event['reason']}" if event["reason"] else "")


def phase_text(phase: Mapping[str, Any]) -> str:
    """Return a phase as text: its name, its counts and what is being done."""
    name = phase.get("phase") or phase.get("name") or ""
    counts = f" {phase.get('done')}/{phase['of']}" if phase.get("of") else ""
    return f"{name}{counts}" + (f", {phase['detail']}" if phase.get("detail") else "")


def _texts(event: Mapping[str, Any]) -> list[str]:
    kind = event["event"]
    if kind == "snapshot":
        troubles = [text for name, vhost in event["vhosts"].items() if (text := vhost_text(name, vhost))]
        return [experiment_text(event), *troubles, *(_node(name, node) for name, node in event["nodes"].items() if node["state"] != UNKNOWN)]
    if kind == "node":
        return [_node(event["node"], event)] if event["state"] != UNKNOWN else []  # the line of its vhost says so
    if kind == "vhost":
        return [vhost_text(event["vhost"], event) or f"{event['vhost']} is {'set up' if event['startup'] else 'reached'}"] if event["reason"] != NOT_YET else []
    if kind == "state":
        return [experiment_text(event)]
    if kind == "gone":
        return [f"experiment {event['experiment']} has been terminated"]
    return [text] if (text := _run_text(event)) else []


def _node(name: str, node: Mapping[str, Any]) -> str:
    command = f", start command {command_text(node)}" if node["start_command"] else ""
    return f"{name} is {state_text(node)} ({node['kind']} on {node['vhost']}){command}"


def _run_text(event: Mapping[str, Any]) -> str:
    kind = event["event"]
    if kind == "run_began":
        return f"{event.get('by', '')} runs {event.get('playbook', '')}"
    if kind == "run_ended":
        return f"the run has ended: {event.get('status', '')}"
    if kind == "phase_progress":
        return phase_text(event)
    if kind == "phase_ended":
        seconds = event.get("seconds")
        return phase_text({**event, "detail": f"{seconds:.0f} s" if isinstance(seconds, (int, float)) else ""})
    if kind == "task_failed":
        return f"{event.get('host', '')}: {event.get('task', '')}: {event.get('message', '')}"
    return ""
