# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that planning reads from site.yml."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, Problem
from ..hostplan import CONTROL_SCOPES, EXPERIMENT
from .addressing.profiles import PROFILES
from .kinds import ALLOWED, KINDS, kind_named

HOSTS_MODES = ("neighbour", "shared")
VXLAN_MODES = ("unicast", "multicast")
ORIGINAL_PASSES = "original"
PASSES_MODES = ("together", ORIGINAL_PASSES)
BY_PASS = ("pass_pack", "pass_size", "pass_pnodes", "pass_nodes_only")


@dataclass(frozen=True)
class EmbeddingSettings:
    """The settings of planning, named as in site.yml. settings/schema.py documents each of them; a test compares the defaults.

    pass_pack, pass_size, pass_pnodes  the keys are numbers of passes, as texts
    kind_map                           {asked kind: realised kind}, applied once, not transitively
    node_users                         of each account "name", and "authorized_keys" if it has any
    images                             {name: entry as site.yml has it}
    """

    packing: int = 10
    size: int = 0
    nodes_only: bool = False
    passes: str = "together"
    pass_pack: Mapping[str, int] = field(default_factory=dict)
    pass_size: Mapping[str, int] = field(default_factory=dict)
    pass_nodes_only: tuple[int, ...] = ()
    pnode_types: tuple[str, ...] = ()
    pass_pnodes: Mapping[str, list[str]] = field(default_factory=dict)
    force_partition: bool = False
    default_container: str = "qemu"
    kind_map: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    address_base: str = "10.0.0.0/16"
    address_profile: str = "default"
    control_networks: tuple[str, ...] = ()
    control_reach: str = EXPERIMENT
    control_allow: tuple[str, ...] = ()
    hosts_mode: str = "neighbour"
    vxlan_mode: str = "unicast"
    multicast_group_base: str = "239.192.0.0"
    vxlan_port: int = 4789
    acceleration: str = "auto"
    boot_limit_s: int = 600
    qemu_start: str = "auto"
    qemu_reserve_mb: int = 128
    template_cache_mb: int = 4096
    node_users: tuple[Mapping[str, Any], ...] = ()
    images: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    default_image: str = "debian-12"
    openvz_template: str = ""
    image: bool = True
    qemu_memory_mb: int = 512
    qemu_cpus: int = 1
    qemu_cpu: str = "max"
    qemu_disk_mb: int = 0
    openvz_memory_mb: int = 256
    openvz_cpus: int = 0
    openvz_disk_mb: int = 2048
    memory_reserve_mb: int = 512
    memory_overcommit: float = 1.0


def check_settings(settings: EmbeddingSettings) -> None:
    """Raise InputError with a Problem for each invalid setting."""
    problems = [*_kind_problems(settings), *_network_problems(settings)]
    if settings.packing < 1:
        problems.append(_problem("packing", f"{settings.packing} is not a number of vnodes", "at least 1"))
    if settings.size < 0:
        problems.append(_problem("size", f"{settings.size} is not a number of parts", "0 or more"))
    for name, values in (("pass_pack", settings.pass_pack), ("pass_size", settings.pass_size)):
        problems += [_problem(name, f"{value} of pass {number} is not a number", "at least 1") for number, value in values.items() if value < 1]
    for name, allowed in (("hosts_mode", HOSTS_MODES), ("vxlan_mode", VXLAN_MODES), ("passes", PASSES_MODES), ("address_profile", tuple(PROFILES)),
                          ("control_reach", CONTROL_SCOPES)):
        value = getattr(settings, name)
        if value not in allowed:
            problems.append(_problem(name, f"{value!r} is not known", f"one of {', '.join(allowed)}"))
    if not 1 <= settings.vxlan_port <= 65535:
        problems.append(_problem("vxlan_port", f"{settings.vxlan_port} is not a UDP port", "1 to 65535"))
    if problems:
        raise InputError(problems)


def _kind_problems(settings: EmbeddingSettings) -> Iterator[Problem]:
    if kind_named(settings.default_container) is None:
        yield _problem("default_container", f"unknown kind {settings.default_container!r}", ALLOWED)
    for asked, realised in settings.kind_map.items():
        for kind in (asked, realised):
            if kind_named(kind) is None:
                yield _problem("kind_map", f"unknown kind {kind!r} in {asked}={realised}", ALLOWED)


def _network_problems(settings: EmbeddingSettings) -> Iterator[Problem]:
    prefixes = [("address_base", settings.address_base)]
    prefixes += [(name, text) for name in ("control_networks", "control_allow") for text in getattr(settings, name)]
    for name, text in prefixes:
        try:
            ipaddress.IPv4Network(text)
        except ValueError:
            yield _problem(name, f"{text!r} is not an IPv4 prefix", "for example 10.0.0.0/16")
    try:
        if not ipaddress.IPv4Address(settings.multicast_group_base).is_multicast:
            raise ValueError
    except ValueError:
        yield _problem("multicast_group_base", f"{settings.multicast_group_base!r} is not an IPv4 multicast address", "for example 239.192.0.0")


def _problem(name: str, message: str, hint: str) -> Problem:
    return Problem(message=message, element=f"setting {name}", hint=hint)


def mapped_kinds(settings: EmbeddingSettings) -> dict[str, str]:
    """Return {asked kind: realised kind} for every known kind, with the aliases in ``kind_map`` resolved."""
    chosen = {kind_named(asked): kind_named(realised) for asked, realised in settings.kind_map.items()}
    return {name: chosen.get(name) or name for name in KINDS}
