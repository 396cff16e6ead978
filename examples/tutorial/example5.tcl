# What system containers are made of, and how much they may store, node by node.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
tb-add-node-attribute $center containers:node_type openvz
tb-add-node-attribute $center containers:openvz_template ubuntu-12.04-x86_64
for {set i 0} {$i < 9} {incr i} {
    set n($i) [$ns node]
    tb-add-node-attribute $n($i) containers:node_type openvz
    tb-add-node-attribute $n($i) containers:openvz_diskspace 20G
    $ns duplex-link $center $n($i) 100Mb 10ms DropTail
}

$ns rtproto Static
$ns run
