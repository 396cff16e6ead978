# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the topologies of the end-to-end tests as TopDL."""

from __future__ import annotations

from xml.sax.saxutils import escape


def topdl(nodes: dict[str, dict], shape: str = "") -> str:
    """Return TopDL of {node: {"on": substrates, "kind", "partition", "vhost", "image", "startup"}}. ``shape`` is added to every substrate."""
    substrates = dict.fromkeys(name for node in nodes.values() for name in node.get("on", ()))
    parts = [f"<substrates><name>{name}</name>{shape}</substrates>" for name in substrates]
    for name, node in nodes.items():
        interfaces = "".join(f"<interface><substrate>{substrate}</substrate><name>inf{number:03}</name></interface>"
                             for number, substrate in enumerate(node.get("on", ())))
        attributes = {"containers:node_type": node.get("kind", "process"), "containers:partition": node.get("partition"),
                      "containers:vhost": node.get("vhost"), "containers:image": node.get("image"), "startup": node.get("startup")}
        text = "".join(f"<attribute><attribute>{key}</attribute><value>{escape(value)}</value></attribute>" for key, value in attributes.items() if value)
        parts.append(f"<elements><computer><name>{name}</name>{interfaces}{text}</computer></elements>")
    return f"<experiment><version>1.0</version>{''.join(parts)}</experiment>"


def two_pnodes() -> str:
    """Return a topology with a LAN across two pnodes (left-a, left-b | right-c, router) and a link behind the router (far)."""
    return topdl({
        "left-a": {"on": ["lan"], "partition": "l", "startup": "echo out of $(hostname); echo err >&2; ip -o -4 addr show dev inf000; exit 3"},
        "left-b": {"on": ["lan"], "partition": "l", "startup": "sleep 100000"},
        "right-c": {"on": ["lan"], "partition": "r", "startup": "echo $BENITO_PID $BENITO_EID $BENITO_NODE > /var/benito/who"},
        "router": {"on": ["lan", "link"], "partition": "r"},
        "far": {"on": ["link"], "partition": "r"},
    })
