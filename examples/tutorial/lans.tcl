# Delays of LANs: of all members, of one of them, and in DETER's words. There and back is twice what is said.
set ns [new Simulator]
source tb_compat.tcl

foreach name {a b c d e f g h i} {
    set $name [$ns node]
}
set even [$ns make-lan "$a $b $c" 100Mb 10ms]
set far [$ns make-lan "$d $e $f" 100Mb 0ms]
tb-set-node-lan-delay $d $far 100ms
set deter [$ns make-deter-lan "$g $h $i" bw 1Gb delay static mean 30ms]

$ns rtproto Static
$ns run
