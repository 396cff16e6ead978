#!/usr/bin/env python3
# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the three TopDL files of the demo into this folder: the same network, realised in three ways.

    irc  bot-1 bot-2 bot-3  master        target
      \\____|_____|_____|_____/              |
              botnet LAN -- west ==== east -- victim LAN

In each, the IRC server and the bots are processes inside a virtual machine, and the routers are processes.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

CHANNEL = "#catch"
SERVER = r"""mkdir -p /var/benito/irc
printf '%s\n' '[Global]' 'Name = irc.catch.demo' 'Info = January 2011 demo' '[Options]' 'DNS = no' 'Ident = no' 'PAM = no' > /var/benito/irc/ngircd.conf
exec ngircd --nodaemon --config /var/benito/irc/ngircd.conf
"""
# ii, a small IRC client, has a folder for each server and channel, with a pipe "in" and a file "out".
CLIENT = r"""cd /var/benito && rm -rf irc && mkdir irc && exec 2> client.err
(while :; do ii -i irc -s irc -n "$BENITO_NODE"; sleep 1; done) &
while ! [ -d 'irc/irc/@CHANNEL@' ]; do
    if [ -p irc/irc/in ]; then timeout 2 sh -c 'echo "/j @CHANNEL@" > irc/irc/in'; fi
    sleep 1
done
""".replace("@CHANNEL@", CHANNEL)
MASTER = CLIENT + "wait\n"
BOT = CLIENT + r"""tail -n +1 -F 'irc/irc/@CHANNEL@/out' | while read -r _time _who order target; do
    case "$order $target" in
        '!ping '*[!a-z0-9-]*|'!ping ') ;;
        '!ping '*) ping -c 3 -w 20 "$target" > ping.log 2>&1
            echo "$BENITO_NODE to $target: $(grep -o '[0-9]* received' ping.log)" > 'irc/irc/@CHANNEL@/in' ;;
    esac
done
""".replace("@CHANNEL@", CHANNEL)

NODES = {  # name: (LANs, start command)
    "irc": (["botnet"], SERVER),
    "bot-1": (["botnet"], BOT),
    "bot-2": (["botnet"], BOT),
    "bot-3": (["botnet"], BOT),
    "master": (["botnet"], MASTER),
    "west": (["botnet", "middle"], ""),
    "east": (["middle", "victim"], ""),
    "target": (["victim"], ""),
}
INSIDE = ("irc", "bot-1", "bot-2", "bot-3", "master")
REALISATIONS = {
    # One machine runs the processes and the virtual machine.
    "one-machine": {
        **{name: {"vhost": "carrier", "partition": "0"} for name in INSIDE},
        **{name: {"partition": "0"} for name in ("west", "east", "target")},
    },
    # One machine runs virtual machines. One of them is the target, the others carry the processes.
    "inside-machines": {
        **{name: {"vhost": "carrier", "partition": "0"} for name in INSIDE},
        **{name: {"vhost": "crossing", "partition": "0"} for name in ("west", "east")},
        "target": {"node_type": "qemu", "partition": "0"},
    },
    # Three machines: one with the virtual machine, one with the routers, and one that is the target.
    "three-machines": {
        **{name: {"vhost": "carrier", "partition": "0"} for name in INSIDE},
        **{name: {"partition": "1"} for name in ("west", "east")},
        "target": {"node_type": "embedded_pnode"},
    },
}


def topdl(realisation: dict[str, dict[str, str]]) -> str:
    """Return the network with the ``containers:`` attributes of a realisation, as TopDL."""
    substrates = dict.fromkeys(lan for lans, _command in NODES.values() for lan in lans)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<experiment>", "  <version>1.0</version>"]
    lines += [f"  <substrates><name>{name}</name></substrates>" for name in substrates]
    for name, (lans, command) in NODES.items():
        lines += ["  <elements>", "    <computer>", f"      <name>{name}</name>"]
        lines += [f"      <interface><substrate>{lan}</substrate><name>inf{port:03}</name></interface>" for port, lan in enumerate(lans)]
        attributes = {f"containers:{key}": value for key, value in {"node_type": "process", **realisation[name]}.items()}
        if "containers:vhost" in attributes:
            attributes["containers:image"] = "irc"
        if command:
            attributes["startup"] = command
        for key, value in attributes.items():
            lines.append(f"      <attribute><attribute>{key}</attribute><value>{escape(value)}</value></attribute>")
        lines += ["    </computer>", "  </elements>"]
    return "\n".join([*lines, "</experiment>", ""])


if __name__ == "__main__":
    for name, realisation in REALISATIONS.items():
        path = Path(__file__).with_name(f"{name}.xml")
        path.write_text(topdl(realisation), encoding="utf-8")
        print(path)
