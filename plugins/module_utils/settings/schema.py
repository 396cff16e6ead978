# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of site.yml: the one place where a setting's name, form, meaning and default stand.

Published as docs/site.schema.json for editors; docs/site.md explains it for people.
"""

from __future__ import annotations

from ..embedding.addressing.profiles import PROFILES
from ..embedding.kinds import KINDS

_KIND = {"enum": list(KINDS)}
_PASS = {"type": "string", "pattern": "^[0-9]{1,9}$"}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 1000000}
_TYPES = {"type": "array", "items": {"type": "string", "pattern": "^[^\\s,;:]{1,64}$"}}

SITE_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Settings of deter.benito",
    "description": "site.yml: what this site wants for its experiments, where an experiment does not say otherwise",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "packing": {
            "description": "the most vnodes one pnode may carry when a topology is partitioned automatically",
            "type": "integer",
            "minimum": 1,
            "maximum": 1000000,
            "default": 10,
        },
        "size": {
            "description": "into how many parts of equal size each pass is divided, whatever the packing; 0 for as few as the packing allows",
            "type": "integer",
            "minimum": 0,
            "maximum": 1000000,
            "default": 0,
        },
        "nodes_only": {
            "description": "whether parts are of equal size, at the price of more cut links",
            "type": "boolean",
            "default": False,
        },
        "passes": {
            "description": "nodes without a PartitionPass: all in one pass (together), or openvz in pass 0 and the others in pass 1 (original)",
            "enum": ["together", "original"],
            "default": "together",
        },
        "pass_pack": {
            "description": "the packing of single passes",
            "type": "object",
            "propertyNames": _PASS,
            "additionalProperties": _COUNT,
            "examples": ["{0: 1, 1: 20}", "'0:1,1:20'"],
            "default": {},
        },
        "pass_size": {
            "description": "the size of single passes",
            "type": "object",
            "propertyNames": _PASS,
            "additionalProperties": _COUNT,
            "examples": ["{0: 1, 1: 4}", "'0:1,1:4'"],
            "default": {},
        },
        "pass_nodes_only": {
            "description": "passes whose parts are of equal size",
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 999999999},
            "examples": ["[0, 2]", "'0,2'"],
            "default": [],
        },
        "pnode_types": {
            "description": "types of machine (pnode_type of the inventory) that may be pnodes; [] for any",
            **_TYPES,
            "examples": ["[big, small]", "'big,small'"],
            "default": [],
        },
        "pass_pnodes": {
            "description": "types of machine for the pnodes of single passes",
            "type": "object",
            "propertyNames": _PASS,
            "additionalProperties": {**_TYPES, "minItems": 1},
            "examples": ["{0: [big], 1: [big, small]}", "'0:big;1:big,small'"],
            "default": {},
        },
        "force_partition": {
            "description": "whether partitions that a topology's author has chosen are given up for automatic ones",
            "type": "boolean",
            "default": False,
        },
        "default_container": {
            "description": "container kind of a node for which its topology names none",
            **_KIND,
            "default": "qemu",
        },
        "kind_map": {
            "description": "container kinds to be realised as another one, for example {openvz: process}",
            "type": "object",
            "propertyNames": _KIND,
            "additionalProperties": _KIND,
            "default": {},
        },
        "seed": {
            "description": "seed of the partitioning: the same input and seed give the same experiment",
            "type": "integer",
            "minimum": 0,
            "maximum": 2147483647,
            "default": 0,
        },
        "address_base": {
            "description": "IPv4 network from which substrates without addresses of their own get theirs",
            "type": "string",
            "format": "ipv4-network",
            "default": "10.0.0.0/16",
        },
        "address_profile": {
            "description": "which subnets substrates get: /24s in the topology's order (default), the numbers of an Emulab site (emulab), "
            "or small ones so ordered that routes are few (hierarchical)",
            "enum": list(PROFILES),
            "default": "default",
        },
        "control_networks": {
            "description": "IPv4 networks that no address or route of an experiment may touch",
            "type": "array",
            "items": {"type": "string", "format": "ipv4-network"},
            "default": [],
        },
        "hosts_mode": {
            "description": "whether a node's hosts file says its own side of things (neighbour) or is the same for all (shared)",
            "enum": ["neighbour", "shared"],
            "default": "neighbour",
        },
        "vxlan_mode": {
            "description": "how substrates cross between vhosts: a copy for each planned peer (unicast), or one multicast group for each substrate",
            "enum": ["unicast", "multicast"],
            "default": "unicast",
        },
        "multicast_group_base": {
            "description": "first multicast group of vxlan_mode multicast",
            "type": "string",
            "format": "ipv4-multicast",
            "default": "239.192.0.0",
        },
        "vxlan_port": {
            "description": "UDP port of the tunnels between vhosts",
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "default": 4789,
        },
        "node_users": {
            "description": "accounts on openvz and qemu nodes; the first one runs start commands there. With none, root does",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": "^(?!root$)[a-z_][a-z0-9_-]{0,31}$"},
                    "authorized_keys": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\\n\\r]*)?$"}},
                },
            },
            "default": [],
        },
        "acceleration": {
            "description": "how QEMU runs virtual machines: what a probe on the pnode shows to work (auto), kvm, or tcg, which is emulation",
            "enum": ["auto", "kvm", "tcg"],
            "default": "auto",
        },
        "boot_limit_s": {
            "description": "seconds that a virtual machine or a container may take to boot before swap-in gives up",
            "type": "integer",
            "minimum": 10,
            "maximum": 86400,
            "default": 600,
        },
        "qemu_start": {
            "description": "how virtual machines come up the first time: as clones of a warm template where that can be (auto), in no other way (warm), "
                           "or by booting (cold)",
            "enum": ["auto", "warm", "cold"],
            "default": "auto",
        },
        "qemu_reserve_mb": {
            "description": "MiB kept free for each virtual machine that is cloned from a warm template, beside what such a clone was measured to take; "
                           "where that is more than its memory, all of its memory is kept",
            "type": "integer",
            "minimum": 0,
            "default": 128,
        },
        "template_cache_mb": {
            "description": "MiB that the warm templates of a pnode may take on its disk; those used longest ago go",
            "type": "integer",
            "minimum": 0,
            "default": 4096,
        },
        "images": {
            "description": "images that nodes can be made of, beside debian-12 and debian-13: built here, or fetched by URL or path",
            "type": "object",
            "propertyNames": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
            "additionalProperties": {
                "type": "object",
                "oneOf": [{"required": ["build"]}, {"required": ["url"]}, {"required": ["path"]}],
                "additionalProperties": False,
                "properties": {
                    "build": {
                        "description": "a minimal Debian, made with mmdebstrap, for qemu and openvz",
                        "type": "object",
                        "required": ["suite"],
                        "additionalProperties": False,
                        "properties": {
                            "suite": {"enum": ["bookworm", "trixie"]},
                            "packages": {"type": "array", "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9+.-]+$"}},
                        },
                    },
                    "url": {"type": "string", "pattern": "^(https?|file)://?[^ \\s#]+$"},
                    "path": {"type": "string", "pattern": "^(/|~/)[^\\n]+$"},
                    "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$"},
                    "format": {"enum": ["qcow2", "raw"]},
                    "architecture": {"enum": ["x86_64", "i386", "aarch64"]},
                    "form": {"enum": ["disk", "root"]},
                    "cloud_init": {"type": "boolean"},
                },
            },
            "default": {},
        },
        "default_image": {
            "description": "image of a node that asks for none, or for an operating system that the catalogue does not have",
            "type": "string",
            "default": "debian-12",
        },
        "openvz_template": {
            "description": "image of openvz nodes that ask for none, a name of the catalogue or of DETER's templates; empty for default_image",
            "type": "string",
            "default": "",
        },
        "image": {
            "description": "whether a picture of the topology is drawn when an experiment is created",
            "type": "boolean",
            "default": True,
        },
        "image_limit_s": {
            "description": "seconds that drawing it may take; what takes longer is drawn faster and less well, or not at all",
            "type": "integer",
            "minimum": 1,
            "maximum": 86400,
            "default": 20,
        },
        "qemu_memory_mb": {
            "description": "memory of a virtual machine that says nothing of it, MiB",
            "type": "integer",
            "minimum": 128,
            "maximum": 4194304,
            "default": 512,
        },
        "qemu_cpus": {
            "description": "processors of a virtual machine that says nothing of them",
            "type": "integer",
            "minimum": 1,
            "maximum": 255,
            "default": 1,
        },
        "qemu_disk_mb": {
            "description": "size of the disk of virtual machines, MiB; 0 for that of the image",
            "type": "integer",
            "minimum": 0,
            "maximum": 4194304,
            "default": 0,
        },
        "openvz_memory_mb": {
            "description": "most memory of a system container that says nothing of it, MiB; 0 for no limit",
            "type": "integer",
            "minimum": 0,
            "maximum": 4194304,
            "default": 256,
        },
        "openvz_cpus": {
            "description": "processors of a system container that says nothing of them; 0 for no limit",
            "type": "integer",
            "minimum": 0,
            "maximum": 255,
            "default": 0,
        },
        "openvz_disk_mb": {
            "description": "size of the disk of a system container that says nothing of it, MiB",
            "type": "integer",
            "minimum": 64,
            "maximum": 4194304,
            "default": 2048,
        },
        "ns_profile": {
            "description": "rules by which NS files are read: those of an Emulab site (emulab), or without what only its machines needed (default)",
            "enum": ["default", "emulab"],
            "default": "default",
        },
        "memory_reserve_mb": {
            "description": "memory of each pnode that stays for the machine itself, MiB",
            "type": "integer",
            "minimum": 0,
            "maximum": 4194304,
            "default": 512,
        },
        "memory_overcommit": {
            "description": "how many times the memory of a pnode is promised to nodes",
            "type": "number",
            "minimum": 1,
            "maximum": 100,
            "default": 1.0,
        },
    },
}
