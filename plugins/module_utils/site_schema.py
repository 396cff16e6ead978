# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of site.yml: the one place where a setting's name, form, meaning and default stand.

Published as docs/site.schema.json for editors; docs/site.md explains it for people.
"""

from __future__ import annotations

from .embedding.kinds import KINDS

_KIND = {"enum": list(KINDS)}

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
            "description": "IPv4 network from which substrates without addresses of their own get theirs, /24 after /24",
            "type": "string",
            "format": "ipv4-network",
            "default": "10.0.0.0/16",
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
    },
}
