# Kinds mixed: virtual machines around a system container.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
tb-add-node-attribute $center containers:node_type openvz
for {set i 0} {$i < 9} {incr i} {
    set n($i) [$ns node]
    tb-add-node-attribute $n($i) containers:node_type qemu
    $ns duplex-link $center $n($i) 100Mb 10ms DropTail
}

$ns rtproto Static
$ns run
