# The first lesson of Emulab: a lossy link, a LAN, an operating system and a fixed address.
set ns [new Simulator]
source tb_compat.tcl

set nodeA [$ns node]
set nodeB [$ns node]
set nodeC [$ns node]
set nodeD [$ns node]

set link0 [$ns duplex-link $nodeB $nodeA 30Mb 50ms DropTail]
tb-set-link-loss $link0 0.01
set lan0 [$ns make-lan "$nodeD $nodeC $nodeB" 10Mb 0ms]

tb-set-node-os $nodeA FBSD-STD
tb-set-ip-link $nodeA $link0 10.0.1.1

$ns rtproto Static
$ns run
