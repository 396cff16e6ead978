# The same, and the last satellite is a physical machine.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
tb-add-node-attribute $center containers:node_type openvz
for {set i 0} {$i < 9} {incr i} {
    set n($i) [$ns node]
    if {$i == 8} {set kind embedded_pnode} else {set kind qemu}
    tb-add-node-attribute $n($i) containers:node_type $kind
    $ns duplex-link $center $n($i) 100Mb 10ms DropTail
}

$ns rtproto Static
$ns run
