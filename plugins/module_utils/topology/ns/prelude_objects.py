# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Tcl half of the NS reader, first part: the records, and the objects that a file creates.

A record is a line of tab-separated fields in UTF-8. A backslash escapes tab, newline, carriage return and backslash.
The first three fields are its kind, the file (empty for the main one) and the line.
The names of objects and the numbers in provisional names follow parse.tcl and sim.tcl of Emulab.
"""

from __future__ import annotations

OBJECTS = r"""
lassign $argv script folder seconds wall_seconds commands most_bytes longest testbed_commands
set driver [file normalize [info script]]
set folder [file normalize $folder]
set written 0
set counter 0
set class_counter 0
set pending {}
# {file: what it is called in records}
set sources($script) {}
set ran 0
set simulators 0
set depth 0
set lastfault {}
fconfigure stdout -translation lf -encoding utf-8 -buffering full -buffersize 65536

# --- records ---------------------------------------------------------------------------------

proc emit {kind place args} {
    global written most_bytes
    set line $kind
    foreach field [concat $place $args] {
        append line \t [string map {\\ \\\\ \t \\t \n \\n \r \\r} $field]
    }
    incr written [string length $line]
    if {$written > $most_bytes} {
        puts "limit\t\t0\toutput"
        flush stdout
        exit 0
    }
    puts $line
}

# The file, empty for the main one, and the line of the innermost command of the user's that is being executed.
proc place {} {
    global child driver sources
    if {[catch {interp eval $child [list ::benito::place $driver]} found] || [llength $found] != 2} {
        return [list {} 0]
    }
    lassign $found file line
    if {![info exists sources($file)] || ![regexp {^[0-9]{1,9}$} $line]} {
        return [list {} 0]
    }
    return [list $sources($file) $line]
}

proc tell {kind args} {
    global longest
    foreach field $args {
        if {[string length $field] > $longest} {
            fault "an argument of [lindex $args 0] is longer than $longest characters"
        }
    }
    emit $kind [place] {*}$args
}

# An error that ends the script, unless the script catches it.
proc fault {message} {
    global lastfault
    set lastfault [list $message [place]]
    return -level 1 -code error $message
}

# --- objects ---------------------------------------------------------------------------------

proc create {class name} {
    global child pending
    if {[info exists ::class($name)]} {
        fault "the name $name is taken"
    }
    set ::class($name) $class
    interp alias $child $name {} object $name
    set pending $name
    return $name
}

proc numbered {class prefix} {
    while {[info exists ::class($prefix[incr ::counter])]} {}
    create $class $prefix$::counter
}

proc numbered_without_effect {class prefix} {
    set name [numbered $class $prefix]
    tell object $class $name
    return $name
}

proc is {name args} {
    expr {[info exists ::class($name)] && $::class($name) in $args}
}

proc is_pending {} { expr {$::pending ne {}} }

proc option_set {variable value} {
    if {[regexp {^(?:::)?opt\(([-_0-9a-zA-Z]+)\)$} $variable -> option]} {
        tell option $option $value
    }
}

# Called after the assignment of a global variable when an object waits for its name. Gives the value that the variable is to have.
proc assigned {variable value} {
    global pending class
    set old $pending
    set pending {}
    if {$value ne $old} {
        return $value
    }
    set new [string map {( - ) {} :: {}} $variable]
    if {$new eq $old} {
        return $value
    }
    if {[string length $new] > 255} {
        fault "the name of an object has [string length $new] characters: at most 32"
    }
    if {[llength [interp eval $::child [list ::benito::commands $new]]]} {
        if {[info exists class($new)]} {
            fault "there is already an object named $new"
        }
        fault "$new cannot be the name of an object: there is a command of this name"
    }
    rename_object $old $new
    return $new
}

proc rename_object {old new} {
    global class child members member_of queue_of variables
    set class($new) $class($old)
    unset class($old)
    interp alias $child $old {}
    interp alias $child $new {} object $new
    if {[info exists members($old)]} {
        set members($new) $members($old)
        unset members($old)
        foreach node $members($new) {
            # nearly always the last one: then looking for it would take long on a node with many
            set at [expr {[lindex $member_of($node) end] eq $old ? [llength $member_of($node)] - 1 : [lsearch -exact $member_of($node) $old]}]
            if {$at >= 0} { lset member_of($node) $at $new }
        }
    }
    if {[info exists member_of($old)]} {
        foreach medium $member_of($old) {
            set members($medium) [lmap node $members($medium) {expr {$node eq $old ? $new : $node}}]
        }
        set member_of($new) $member_of($old)
        unset member_of($old)
    }
    if {[info exists queue_of($old)]} {
        set queue_of($new) $queue_of($old)
        unset queue_of($old)
    }
    if {[info exists variables($old)]} {
        set variables($new) $variables($old)
        unset variables($old)
    }
    emit name {{} 0} $old $new
}

proc new {args} {
    if {![llength $args]} {
        fault {wrong # args: should be "new class ?argument ...?"}
    }
    set kind [lindex $args 0]
    if {$kind eq "Simulator"} {
        if {[incr ::simulators] > 1} {
            tell error "a second Simulator" "one file describes one experiment"
        }
        set name [create simulator Simulator[incr ::class_counter]]
        tell object simulator $name
        return $name
    }
    set known {Program EventGroup Firewall Console Topography Agent/UDP Agent/Null Agent/TCP Agent/TCPSink Agent/TCP/FullTcp
        Agent/TCP/FullTcp/Reno Agent/TCP/FullTcp/Newreno Agent/TCP/FullTcp/Tahoe Agent/TCP/FullTcp/Sack
        Application/Traffic/CBR Application/FTP Application/Telnet}
    if {$kind in $known} {
        set name [create ignored [string map {/ {}} $kind][incr ::class_counter]]
    } else {
        set name [create null null[incr ::class_counter]]
    }
    tell new $name {*}$args
    return $name
}

# --- what objects can do ---------------------------------------------------------------------

proc object {name args} {
    if {![llength $args]} {
        fault "wrong # args: should be \"$name method ?argument ...?\""
    }
    set method [lindex $args 0]
    set kind $::class($name)
    if {$method in {set unset} && $kind ne "null"} {
        return [object_variable $kind $name {*}$args]
    }
    switch -- $kind {
        simulator { return [simulator $name {*}$args] }
        ends { return [ends $name {*}$args] }
        node { return [node $name {*}$args] }
        ignored { return {} }
        default {
            if {$kind in {link lan} && $method in {queue fromqueue toqueue}} {
                return [queue $name [expr {$method eq "fromqueue" ? "from" : "to"}]]
            }
            tell call $kind $name {*}$args
            return {}
        }
    }
}

proc object_variable {kind name method args} {
    global variables
    if {$method eq "unset" || [llength $args] ni {1 2}} {
        fault "wrong # args: should be \"$name set variable ?value?\""
    }
    lassign $args variable value
    if {$kind in {link lan} && $variable in {fromqueue toqueue} && [llength $args] == 1} {
        return [queue $name [string range $variable 0 end-5]]
    }
    if {[llength $args] == 2} {
        dict set variables($name) $variable $value
        if {$kind eq "queue"} { tell call queue $name set {*}$args }
        return $value
    }
    if {[info exists variables($name)] && [dict exists $variables($name) $variable]} {
        return [dict get $variables($name) $variable]
    }
    set defaults {limit_ 50 maxthresh_ 15 thresh_ 5 q_weight_ 0.002 linterm_ 10 queue-in-bytes_ 0 bytes_ 0 mean_pktsize_ 500
        wait_ 1 setbit_ 0 drop-tail_ 1 red_ 0 gentle_ 0}
    if {$kind eq "queue" && [dict exists $defaults $variable]} {
        return [dict get $defaults $variable]
    }
    fault "can't read \"$variable\": $name has no such variable"
}

proc simulator {name method args} {
    global counter ran
    switch -- $method {
        node - bridge {
            set made [numbered node tbnode-n]
            tell object $method $made {*}$args
            return $made
        }
        duplex-link { return [duplex_link $name {*}$args] }
        make-lan - make-cloud - make-new-lan - make-deter-lan { return [lan $name $method {*}$args] }
        link - lanlink { return [find_ends $name $method {*}$args] }
        run {
            tell run
            set ran 1
            return {}
        }
        event-sequence - event-timeline - event-group - make-path - define-template-parameter - make-simulated - nsenode -
        rtproto - cost - at - attach-agent - connect - node-config {
            tell call simulator $name $method {*}$args
            switch -- $method {
                event-sequence { return [numbered_without_effect ignored tbseq-seq] }
                event-timeline { return [numbered_without_effect ignored tbtl-tl] }
                event-group { return [numbered_without_effect ignored tbgrp-grp] }
                make-path { return [numbered_without_effect ignored tbpath-path] }
                nsenode { return [numbered_without_effect ignored tbnsenode-nsenode] }
                define-template-parameter {
                    if {[llength $args] ni {2 3}} {
                        fault "wrong # args: should be \"$name define-template-parameter name value ?description?\""
                    }
                    interp eval $::child [list ::benito::parameter {*}[lrange $args 0 1]]
                }
                make-simulated { return [interp eval $::child {*}$args] }
            }
            return {}
        }
        default {
            tell call simulator $name $method {*}$args
            return [numbered_without_effect null tbnull-null]
        }
    }
}

proc node {name method args} {
    tell call node $name $method {*}$args
    if {$method eq "start-command"} {
        return [program_of $name]
    }
    if {$method in {program-agent console topography}} {
        return [numbered_without_effect ignored tbprog-prog]
    }
    return {}
}

# The program object that a start command is. It is called after its node and takes no other name.
proc program_of {node} {
    set name ${node}_startcmd
    if {![info exists ::class($name)]} {
        set kept $::pending
        create ignored $name
        set ::pending $kept
        tell object ignored $name
    }
    return $name
}

proc join_medium {medium nodes} {
    global members member_of
    set members($medium) $nodes
    foreach node $nodes { lappend member_of($node) $medium }
}

proc duplex_link {name args} {
    if {[llength $args] < 5} {
        fault "wrong # args: should be \"$name duplex-link node node bandwidth delay queue\""
    }
    foreach node [lrange $args 0 1] {
        if {![is $node node]} {
            tell not_a node duplex-link $node
            set wrong 1
        }
    }
    if {[info exists wrong]} { return {} }
    set made [numbered link tblink-l]
    join_medium $made [lrange $args 0 1]
    tell object link $made {*}$args
    return $made
}

proc lan {name method args} {
    set least [expr {$method in {make-lan make-cloud} ? 3 : 1}]
    if {[llength $args] < $least} {
        fault "wrong # args: should be \"$name $method nodes[expr {$least > 1 ? { bandwidth delay} : { ?option value ...?}}]\""
    }
    if {[catch {llength [lindex $args 0]}]} {
        fault "the members of $method are no list: [lindex $args 0]"
    }
    set nodes [lrange [lindex $args 0] 0 end]
    foreach node $nodes {
        if {![is $node node]} {
            fault "$method: [expr {$node eq {} ? {an empty text} : $node}] is not a node"
        }
    }
    set made [numbered lan tblan-lan]
    join_medium $made $nodes
    tell object lan $made $method [llength $nodes] {*}$nodes {*}[lrange $args 1 end]
    return $made
}

# The way from the first node into the link, or from the node into the LAN: "to" if it is the link's first node.
proc find_ends {name method args} {
    global members member_of class
    if {[llength $args] != 2} {
        fault "wrong # args: should be \"$name $method [expr {$method eq {link} ? {node node} : {lan node}}]\""
    }
    if {$method eq "lanlink"} {
        lassign $args medium node
        if {![is $medium lan link]} { tell not_a LAN lanlink $medium; return {} }
        if {$node ni $members($medium)} { tell not_in $node $medium; return {} }
        return [handle $medium $node]
    }
    lassign $args first second
    foreach node $args {
        if {![is $node node]} { tell not_a node link $node; return {} }
    }
    if {[info exists member_of($first)] && [info exists member_of($second)]} {
        set fewer [expr {[llength $member_of($first)] < [llength $member_of($second)] ? $first : $second}]
        foreach medium [lreverse $member_of($fewer)] {
            if {$class($medium) eq "link" && $first in $members($medium) && $second in $members($medium)} {
                return [handle $medium [expr {[lindex $members($medium) 0] eq $first ? "to" : "from"}]]
            }
        }
    }
    tell unconnected $first $second
    return {}
}

proc handle {medium end} {
    set name $medium:$end
    if {![info exists ::class($name)]} {
        set kept $::pending
        create ends $name
        set ::pending $kept
        tell object ends $name $medium $end
    }
    return $name
}

proc ends {name method args} {
    if {$method eq "queue"} {
        regexp {^(.*):([^:]*)$} $name -> medium end
        return [queue $medium $end]
    }
    tell call ends $name $method {*}$args
    return {}
}

proc queue {medium end} {
    global queue_of
    if {![info exists queue_of($medium)] || ![dict exists $queue_of($medium) $end]} {
        set kept $::pending
        dict set queue_of($medium) $end [create queue $medium:$end:queue]
        set ::pending $kept
        tell object queue $medium:$end:queue $medium $end
    }
    return [dict get $queue_of($medium) $end]
}
"""
