# The star for virtual machines: seven satellites, because DETER's could have no more than seven interfaces. Ours can.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
tb-add-node-attribute $center containers:node_type qemu
for {set i 0} {$i < 7} {incr i} {
    set n($i) [$ns node]
    tb-add-node-attribute $n($i) containers:node_type qemu
    $ns duplex-link $center $n($i) 100Mb 10ms DropTail
}

$ns rtproto Static
$ns run
