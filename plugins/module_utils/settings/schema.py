# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of settings: the one place where the name, values, meaning and default of each are written.

Made from this list, when needed: the options of the module containerize with their documentation, what its playbook hands over, and the
schema that site.yml is checked against. Written from it by scripts/settings: docs/site.schema.json, and the tables in docs/site.md and
docs/playbooks.md. A setting that planning reads is also a field of EmbeddingSettings, another one of SiteSettings.
"""

from __future__ import annotations

from typing import Any

from ..embedding.addressing.profiles import PROFILES
from ..embedding.kinds import KINDS
from ..embedding.placement.catalogue import CATALOGUE_RULE
from ..hostplan import CONTROL_SCOPES, EXPERIMENT
from .option_syntax import list_of_words, number, numbers_by_pass, pairs, passes, words_by_pass
from .setting import Rule, Setting

_PASS: Rule = {"description": "the number of a pass", "type": "string", "pattern": "^[0-9]{1,9}$"}
_COUNT: Rule = {"type": "integer", "minimum": 1, "maximum": 1000000}
_TYPES: Rule = {
    "type": "array",
    "items": {"description": "a type of machine, one word", "type": "string", "pattern": "^[^\\s,;:]{1,64}$"},
    "examples": [["big", "small"]],
}
_REPEATED = "the original repeats the option: a list of texts and dictionaries counts as all of them"


def _whole(minimum: int, maximum: int) -> Rule:
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def _one_of(*values: str) -> Rule:
    return {"enum": list(values)}


def _by_pass(rule: Rule, example: Any) -> Rule:
    return {"type": "object", "propertyNames": _PASS, "additionalProperties": rule, "examples": [example]}


_YES_OR_NO: Rule = {"type": "boolean"}
_MIB = 4194304
_USER: Rule = {
    "description": "an account like {name: mike, authorized_keys: [ssh-ed25519 …]}",
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"description": "a name of a user, not root", "type": "string", "pattern": "^(?!root$)[a-z_][a-z0-9_-]{0,31}$"},
        "authorized_keys": {
            "type": "array",
            "items": {"description": "a public key of SSH in one line", "type": "string", "pattern": "^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\\n\\r]*)?$"},
            "examples": [["ssh-ed25519 …"]],
        },
    },
}

SETTINGS: tuple[Setting, ...] = (
    # --- which nodes share a pnode ---
    Setting("packing", _COUNT, 10, "The most vnodes one pnode may carry when a topology is partitioned automatically."),
    Setting(
        "size", _whole(0, 1000000), 0,
        "How many parts of equal size each [pass](partitioning.md#passes) is divided into, whatever the packing.",
        "With 0, as few as the packing allows.",
    ),
    Setting(
        "nodes_only", _YES_OR_NO, False,
        "Whether parts are of equal size, at the price of more cut links.",
        "Their sizes then differ by one vnode at most.",
    ),
    Setting(
        "passes", _one_of("together", "original"), "together",
        "Which passes nodes without a `PartitionPass` are in.",
        "`together` puts all of them in one pass. `original` puts openvz nodes in pass 0 and the others in pass 1.",
    ),
    Setting(
        "pass_pack", _by_pass(_COUNT, {"0": 1, "1": 20}), {}, "The packing of single passes.",
        syntax=numbers_by_pass, example="0:1,1:20", raw_because=_REPEATED,
    ),
    Setting(
        "pass_size", _by_pass(_COUNT, {"0": 1, "1": 4}), {}, "The size of single passes.",
        syntax=numbers_by_pass, example="0:1,1:4", raw_because=_REPEATED,
    ),
    Setting(
        "pass_nodes_only",
        {"type": "array", "items": _whole(0, 999999999), "examples": [[0, 2]]},
        [], "Passes whose parts are of equal size.", syntax=passes, example="0,2",
    ),
    Setting(
        "pnode_types", _TYPES, [],
        "Types of machine (`pnode_type` of the inventory) that may become pnodes.", "With none, any machine may.",
        syntax=list_of_words, example="big,small",
    ),
    Setting(
        "pass_pnodes", _by_pass({**_TYPES, "minItems": 1}, {"0": ["big"], "1": ["big", "small"]}), {},
        "Types of machine for the pnodes of single passes.",
        syntax=words_by_pass, example="0:big;1:big,small", raw_because=_REPEATED,
    ),
    Setting("force_partition", _YES_OR_NO, False, "Whether automatic partitions replace those that the topology's author chose."),
    # --- what nodes are ---
    Setting("default_container", _one_of(*KINDS), "qemu", "Container kind of a node for which the topology names none."),
    Setting(
        "kind_map",
        {"type": "object", "propertyNames": _one_of(*KINDS), "additionalProperties": _one_of(*KINDS), "examples": [{"openvz": "process"}]},
        {},
        "Container kinds that are realised as another kind, without touching the topology.",
        "The same experiment then runs at another fidelity.",
        syntax=pairs, example="openvz=process,qemu=process",
    ),
    Setting(
        "seed", _whole(0, 2147483647), 0,
        "Seed of the partitioning.", "The same topology, settings and seed give the same experiment.",
    ),
    # --- addresses and tunnels ---
    Setting(
        "address_base", {"type": "string", "format": "ipv4-network", "examples": ["10.0.0.0/16"]}, "10.0.0.0/16",
        "IPv4 network in which substrates without addresses of their own get theirs.",
        "When it is used up, the networks after it follow.",
    ),
    Setting(
        "address_profile", _one_of(*PROFILES), "default",
        "Which [subnets](addresses.md) substrates without addresses of their own get.",
        "`default` gives a /24 each, in the topology's order. `emulab` gives the numbers of an Emulab site. "
        "`hierarchical` gives the smallest that suffice, in an order that needs few routes.",
    ),
    Setting(
        "control_networks",
        {
            "type": "array",
            "items": {"type": "string", "format": "ipv4-network", "examples": ["192.168.0.0/16"]},
            "examples": [["192.168.0.0/16"]],
        },
        [],
        "IPv4 networks that no address or route of an experiment may touch.",
        "Name the networks through which you reach your machines, if they lie within 10.0.0.0/8.",
    ),
    Setting(
        "control_reach", _one_of(*CONTROL_SCOPES), EXPERIMENT,
        "What openvz and qemu nodes reach by the [control network](security.md#the-control-network).",
        "`experiment` is the nodes of the same experiment, the controller, the gateway and what is behind it, and the name servers. "
        "`project` is also the nodes of the project's other experiments that are swapped in by then. `all` is every machine there.",
    ),
    Setting(
        "control_allow",
        {
            "type": "array",
            "items": {"type": "string", "format": "ipv4-network", "examples": ["172.16.0.5/32"]},
            "examples": [["172.16.0.5/32"]],
        },
        [],
        "Further IPv4 addresses and networks that openvz and qemu nodes reach by the control network.",
        "Name the file servers and login hosts there that nodes need.",
    ),
    Setting(
        "hosts_mode", _one_of("neighbour", "shared"), "neighbour",
        "What the hosts files of nodes say.",
        "With `neighbour`, a bare name means the address on a substrate that the node shares. With `shared`, all nodes get the same file.",
    ),
    Setting(
        "vxlan_mode", _one_of("unicast", "multicast"), "unicast",
        "How substrates cross between vhosts.",
        "`unicast` sends to each planned peer and works on any underlay. `multicast` uses one group for each substrate.",
    ),
    Setting(
        "multicast_group_base", {"type": "string", "format": "ipv4-multicast", "examples": ["239.192.0.0"]}, "239.192.0.0",
        "The first multicast group, when `vxlan_mode` is `multicast`.",
    ),
    Setting("vxlan_port", _whole(1, 65535), 4789, "UDP port of the tunnels between vhosts."),
    # --- nodes with a system of their own ---
    Setting(
        "node_users", {"type": "array", "items": _USER, "examples": [[{"name": "mike", "authorized_keys": ["ssh-ed25519 …"]}]]}, [],
        "Accounts on openvz and qemu nodes.",
        "They may do everything by sudo. The experiment's own key logs in as well, as its `ssh_config` says. "
        "The first account runs start commands; without any, root does.",
    ),
    Setting(
        "acceleration", _one_of("auto", "kvm", "tcg"), "auto",
        "How QEMU runs virtual machines.", "`auto` is what a probe on the pnode shows to work. `tcg` is emulation.",
    ),
    Setting("boot_limit_s", _whole(10, 86400), 600, "Seconds that a virtual machine or a container may take to boot before swap-in gives up."),
    Setting(
        "qemu_start", _one_of("auto", "warm", "cold"), "auto",
        "How virtual machines start the first time.",
        "`auto` clones them from a [warm template](warm-start.md) where possible and boots the others. "
        "`warm` clones all of them and fails where it cannot. `cold` boots all of them.",
    ),
    Setting(
        "qemu_reserve_mb", {"type": "integer", "minimum": 0}, 128,
        "MiB kept free for each clone of a warm template, beside the memory that such a clone was measured to use.",
        "No more is kept than the clone's whole memory.",
    ),
    Setting(
        "template_cache_mb", {"type": "integer", "minimum": 0}, 4096,
        "MiB that the warm templates of a pnode may take on its disk.", "Those used longest ago are removed first.",
    ),
    Setting(
        "images", CATALOGUE_RULE, {},
        "[Images](images.md) that nodes can be made of, beside `debian-12` and `debian-13`.",
        "An entry of the same name replaces a built-in image.",
    ),
    Setting(
        "default_image", {"type": "string", "examples": ["debian-12"]}, "debian-12",
        "Image of a node that asks for none, or for an operating system that is not in the catalogue.",
    ),
    Setting(
        "openvz_template", {"type": "string", "examples": ["debian-12"]}, "",
        "Image of openvz nodes that ask for none: a name of the catalogue or of one of DETER's templates.",
        "For a template that is not in the catalogue `default_image` is taken, and also when it is empty.",
    ),
    # --- pictures ---
    Setting("image", _YES_OR_NO, True, "Whether a [picture](pictures.md) of the topology is drawn when an experiment is created."),
    Setting(
        "image_limit_s", _whole(1, 86400), 20,
        "Seconds that drawing a picture may take.", "What takes longer is drawn faster and less well, or not at all.",
    ),
    Setting(
        "url_base", {"type": "string", "pattern": "^(https?://[^\\s]{1,500})?$", "examples": ["https://testbed.example.org/"]}, "",
        "Address of the site's web interface, which the creation of an experiment tells.", "When it is empty, it is that of the [service](service.md).",
    ),
    # --- what nodes get of their machine ---
    Setting(
        "qemu_memory_mb", _whole(128, _MIB), 512,
        "Memory of a virtual machine, MiB.", "A node may ask for more or less by `containers:memory`.",
    ),
    Setting(
        "qemu_cpus", _whole(1, 255), 1,
        "Processors of a virtual machine.", "A node may ask for more or less by `containers:cpus` or `<cpu count=…>`.",
    ),
    Setting(
        "qemu_cpu", {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.,=+-]{0,199}$", "examples": ["qemu64", "Nehalem"]}, "max",
        "Processor model of a virtual machine, as QEMU's option `-cpu` names it.",
        "`max` is the widest: the host's own under KVM, all that QEMU emulates otherwise. Name another for guests that must be alike on different hosts.",
    ),
    Setting("qemu_disk_mb", _whole(0, _MIB), 0, "Size of the disk of a virtual machine, MiB.", "With 0, that of its image."),
    Setting(
        "openvz_memory_mb", _whole(0, _MIB), 256,
        "The most memory a system container may use, MiB. With 0, there is no limit.", "A node may ask for more or less by `containers:memory`.",
    ),
    Setting(
        "openvz_cpus", _whole(0, 255), 0,
        "Processors of a system container. With 0, there is no limit.", "A node may ask for more or less by `containers:cpus` or `<cpu count=…>`.",
    ),
    Setting(
        "openvz_disk_mb", _whole(64, _MIB), 2048,
        "Size of the disk of a system container, MiB.", "A node may ask for more or less by `containers:openvz_diskspace`.",
    ),
    Setting(
        "ns_profile", _one_of("default", "emulab"), "default",
        "Rules by which [NS files](ns.md) are read.", "`emulab` has the rules of an Emulab site, also those that only its machines need.",
    ),
    Setting(
        "memory_reserve_mb", _whole(0, _MIB), 512,
        "Memory of each pnode that stays for the machine itself, MiB.", "The rest is for nodes: [which machines](playbooks.md#which-machines).",
    ),
    Setting(
        "memory_overcommit", {"type": "number", "minimum": 1, "maximum": 100}, 1.0,
        "How many times the memory that remains is promised to nodes.",
        "1 promises no byte twice. 1.5 suits nodes that do not use all they are given; where they do, the kernel ends some of their processes.",
        syntax=number,
    ),
)


def setting(name: str) -> Setting:
    """Return the setting of that name. Raises KeyError."""
    return {known.name: known for known in SETTINGS}[name]


def site_schema(settings: tuple[Setting, ...]) -> dict[str, Any]:
    """Return the JSON schema of a site.yml with these settings."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of deter.benito",
        "description": "site.yml: what this site wants for its experiments, where an experiment does not say otherwise",
        "type": "object",
        "additionalProperties": False,
        "properties": {known.name: known.schema() for known in settings},
    }


SITE_SCHEMA = site_schema(SETTINGS)
