#!/bin/sh
# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Run in the node "master". Send a message to the channel and print the answers, until all bots have answered.
# tell.sh MESSAGE [NUMBER_OF_BOTS]
channel='/var/benito/irc/irc/#catch'
bots=${2:-3}
new_lines() { tail -n "+$((before + 1))" "$channel/out"; }
before=$(wc -l < "$channel/out") || exit 1
# shellcheck disable=SC2016
timeout 10 sh -c 'echo "$1" > "$2"' tell "$1" "$channel/in" || { echo "The IRC client of this node does not run." >&2; exit 1; }
left=60
until [ "$(new_lines | grep -c ': [0-9]* received$')" -ge "$bots" ]; do
    left=$((left - 1))
    if [ "$left" = 0 ]; then
        new_lines
        echo "Not all $bots bots have answered within 60 s." >&2
        exit 1
    fi
    sleep 1
done
new_lines | sed 's/^[0-9]* //'
