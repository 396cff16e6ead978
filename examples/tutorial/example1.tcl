# Nine satellites around a centre, each on a link of its own: 20 ms to the centre and back, 40 ms to another satellite and back.
set ns [new Simulator]
source tb_compat.tcl

set center [$ns node]
for {set i 0} {$i < 9} {incr i} {
    set n($i) [$ns node]
    $ns duplex-link $center $n($i) 100Mb 10ms DropTail
}

$ns rtproto Static
$ns run
