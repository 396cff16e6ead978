# Three LANs of twenty nodes around a router, each LAN a pass of its own: pass_pack, pass_size and the like can say different things of each.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
tb-add-node-attribute $center containers:PartitionPass 0

for {set which 0} {$which < 3} {incr which} {
    set members $center
    for {set i [expr {20 * $which}]} {$i < 20 * ($which + 1)} {incr i} {
        set n($i) [$ns node]
        tb-add-node-attribute $n($i) containers:PartitionPass [expr {$which + 1}]
        lappend members $n($i)
    }
    set lan($which) [$ns make-lan $members 100Mb 0ms]
}

$ns rtproto Static
$ns run
