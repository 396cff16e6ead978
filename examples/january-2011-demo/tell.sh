#!/bin/sh
# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# In the node "master": says something in the channel, then shows what is said until all bots have answered.
# tell.sh WORDS [BOTS]
channel='/var/benito/irc/irc/#catch'
bots=${2:-3}
heard() { tail -n "+$((before + 1))" "$channel/out"; }
before=$(wc -l < "$channel/out") || exit 1
# shellcheck disable=SC2016
timeout 10 sh -c 'echo "$1" > "$2"' tell "$1" "$channel/in" || { echo "the IRC client of this node does not listen" >&2; exit 1; }
left=60
until [ "$(heard | grep -c ': [0-9]* received$')" -ge "$bots" ]; do
    left=$((left - 1))
    if [ "$left" = 0 ]; then
        heard
        echo "not all $bots bots have answered within 60 s" >&2
        exit 1
    fi
    sleep 1
done
heard | sed 's/^[0-9]* //'
