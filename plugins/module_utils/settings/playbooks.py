# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of playbooks: which variables each takes, and which hosts a --limit must leave to it.

docs/playbooks.md has the same variables with their meaning. A test compares the two.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ..errors import Problem
from .options import option_names

EXPERIMENT_HOST = "machine.of.the.experiment"
"""Stands for the machines that a playbook adds while it runs. Only a limit that takes every host takes them."""

_EXPERIMENT = ("pid", "eid", "benito_home")
_NEAR = 0.85
_SHORTEST = 4
"""Shorter names are like too many others."""


@dataclass(frozen=True)
class Playbook:
    """A playbook of the collection.

    variables   names of the extra variables that it takes
    needs       host pattern: every host that a --limit must not leave out
    needs_any   host pattern: a group that must have hosts, of which a --limit must leave one at least; may be ""
    """

    name: str
    variables: tuple[str, ...]
    needs: str = "localhost"
    needs_any: str = ""


MACHINE_VARIABLES = (
    "pnode_type", "pnode_slots", "pnode_memory_mb", "pnode_shared", "benito_experiment_address", "benito_experiment_interface", "benito_control_addresses",
)
"""Variables of the inventory that describe machines of the pool. As extra variables, they hold for all of them."""

_ALL_MACHINES = f"localhost:pnode_pool:{EXPERIMENT_HOST}"

PLAYBOOKS: dict[str, Playbook] = {
    playbook.name: playbook
    for playbook in (
        Playbook("containerize", (*_EXPERIMENT, "topology", "config", "site", *option_names())),
        Playbook("swapin", (*_EXPERIMENT, "pnode_types", "pass_pnodes", "control_bridge_interface", "control_bridge_timeout"), _ALL_MACHINES),
        Playbook("swapout", (*_EXPERIMENT, "forget_unreachable"), f"localhost:{EXPERIMENT_HOST}"),
        Playbook("terminate", (*_EXPERIMENT, "forget_unreachable"), f"localhost:{EXPERIMENT_HOST}"),
        Playbook("show", (*_EXPERIMENT, "wait_until", "wait_timeout"), f"localhost:{EXPERIMENT_HOST}"),
        Playbook("node_reboot", (*_EXPERIMENT, "nodes", "node_reboot_timeout"), f"localhost:{EXPERIMENT_HOST}"),
        Playbook("topdl_annotate", (
            "topology", "rules", "names", "name", "regex", "except", "element", "kind", "degree", "neighbours", "substrate", "computer", "has", "lacks",
            "set", "remove", "allow_none", "out", "in_place", "ns_profile",
        )),
        Playbook("convert", (*_EXPERIMENT, "out", "topology", "force", "ns_profile")),
        Playbook("image", (*_EXPERIMENT, "experiment", "topology", "out", "partitions", "program", "addresses", "image_limit_s")),
        Playbook("templates", ("limit_mb",), "", "pnode_pool"),
        Playbook("local_testbed", ("state", "pnodes", "testbed", "backend", "release", "memory_mb", "cpus", "benito_home", "local_testbed_cache")),
    )
}


def misspelt(given: Iterable[str], playbooks: Collection[str]) -> list[Problem]:
    """Return the variables of ``given`` that none of ``playbooks`` takes, but that differ little from one that they take.

    Any other unknown name is a variable of the user's own, for example of an inventory.
    """
    known = [name for name in (*_taken_by(playbooks), *MACHINE_VARIABLES) if len(name) >= _SHORTEST]
    problems = []
    for name in given:
        if len(name) < _SHORTEST or _is_known(name):
            continue
        near = difflib.get_close_matches(name.lower(), known, 1, _NEAR)
        if near:
            problems.append(Problem(f"{_names(playbooks)} has no such variable", element=name, hint=f"perhaps {near[0]}"))
    return problems


def ignored(given: Iterable[str], playbooks: Collection[str]) -> list[str]:
    """Return a warning for each variable of ``given`` that none of ``playbooks`` takes, but another playbook does."""
    taken = _taken_by(playbooks)
    unused = [name for name in given if name not in taken and name not in MACHINE_VARIABLES and _is_known(name)]
    return [f"{name}: {_names(playbooks)} ignores this variable ({_names(_takers(name))} takes it)" for name in unused]


def _taken_by(playbooks: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(name for playbook in playbooks for name in PLAYBOOKS[playbook].variables)


def _takers(name: str) -> list[str]:
    return [playbook.name for playbook in PLAYBOOKS.values() if name in playbook.variables]


def _is_known(name: str) -> bool:
    return name in MACHINE_VARIABLES or bool(_takers(name))


def _names(playbooks: Collection[str]) -> str:
    return " or ".join(playbooks)
