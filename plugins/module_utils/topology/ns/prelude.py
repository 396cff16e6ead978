# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Tcl half of reading NS files: runs a file in a safe interpreter and tells what it called.

It is text in Python, since Ansible carries only Python files of module_utils to where a module runs.

It knows only what the file needs an answer to: which objects there are, their class, their names, and who is a member of what. What a
call means, and whether its values make sense, is decided in Python from the records that are written here.

A record is a line of fields with a tab between, in UTF-8, in which tab, newline, carriage return and backslash are written with a backslash.
The first three fields are its kind, the file (empty for the main one) and the line.
The naming of objects and the numbers in provisional names follow parse.tcl and sim.tcl of Emulab.
"""

from __future__ import annotations

PRELUDE = r"""
lassign $argv script folder seconds commands most_bytes longest testbed_commands
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
    create $class $prefix[incr ::counter]
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
        tell call $kind $name {*}[list $method {*}$args]
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
    if {$method in {program-agent console topography}} {
        return [numbered_without_effect ignored tbprog-prog]
    }
    return {}
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

# --- commands --------------------------------------------------------------------------------

proc testbed {name args} {
    tell testbed $name {*}$args
    return {}
}

proc unknown_command {args} {
    set name [lindex $args 0]
    if {$name in $::withheld} {
        fault "$name is not available in an NS file"
    }
    if {[string match tb-* $name]} {
        fault "there is no command $name"
    }
    if {[info exists ::class($name)]} {
        fault "$name is no command any more"
    }
    fault "there is no command [string range $name 0 60]"
}

proc source_file {args} {
    global child folder depth sources
    if {[llength $args] != 1} {
        fault {wrong # args: should be "source file"}
    }
    set given [lindex $args 0]
    if {[file tail $given] in {tb_compat.tcl nstb_compat.tcl}} {
        tell compatibility $given
        return {}
    }
    if {[catch {
        set path [file normalize [file join $folder $given]]
        set path [file dirname [file normalize [file join $path x]]]
        set kind [file type $path]
    }]} {
        fault "source: there is no file $given"
    }
    if {![string match [string map {* \\* ? \\? [ \\[ ] \\] \\ \\\\} $folder/]* $path]} {
        fault "source: $given is not below the folder of this file"
    }
    if {$kind ne "file" || [file size $path] > 4194304} {
        fault "source: $given is not a file of at most 4 MB"
    }
    if {[incr depth] > 20} {
        fault "source: files are nested more than 20 deep"
    }
    tell source $given
    set sources($path) $path
    set failed [catch {interp invokehidden $child source -encoding utf-8 $path} result options]
    incr depth -1
    if {$failed == 1} {
        return -code error -errorinfo [dict get $options -errorinfo] $result
    }
    return $result
}

proc print {args} {
    if {[lindex $args 0] eq "-nonewline"} { set args [lrange $args 1 end] }
    if {[llength $args] == 2 && [lindex $args 0] in {stdout stderr}} { set args [lrange $args 1 end] }
    if {[llength $args] == 2} {
        fault "puts: an NS file cannot write to files"
    }
    if {[llength $args] != 1} {
        fault {wrong # args: should be "puts ?-nonewline? string"}
    }
    tell print [string range [lindex $args 0] 0 400]
    return {}
}

proc nothing {args} { return {} }

# --- the interpreter of the file -------------------------------------------------------------

set child [interp create -safe]
foreach name {after vwait update interp fileevent fcopy chan package read gets close eof fblocked seek tell} {
    catch {interp hide $child $name}
}
set withheld [concat [interp hidden $child] {exec open socket file exit load cd pwd glob source}]
foreach {name target} {
    new new source source_file puts print flush nothing unknown unknown_command
} {
    catch {interp hide $child $name}
    interp alias $child $name {} $target
}
# source is hidden by its own name still: that is what runs files
foreach name $testbed_commands { interp alias $child $name {} testbed $name }

interp eval $child {
    namespace eval ::benito {
        proc place {driver} {
            # above are this procedure and the call of it
            for {::set level -2} {1} {incr level -1} {
                ::set frame [info frame $level]
                if {[dict get $frame type] eq "source" && [dict get $frame file] ne $driver} {
                    return [list [dict get $frame file] [dict get $frame line]]
                }
            }
        }
        proc commands {name} { namespace eval :: [list info commands [string map {* \\* ? \\? [ \\[ ] \\] \\ \\\\} ::$name]] }
        proc parameter {name value} { ::set ::$name $value }
    }
    rename ::set ::benito::assign
    proc ::set {args} {
        if {[llength $args] != 2} { return [uplevel 1 [list ::benito::assign {*}$args]] }
        uplevel 1 [list ::benito::assign {*}$args]
        lassign $args name value
        if {[string match *opt(* $name]} { ::benito::option_set $name $value }
        if {![::benito::is_pending]} { return $value }
        lassign [split $name (] base
        if {![string match ::* $base] && ![llength [info globals $base]]} { return $value }
        lassign [list [::benito::assigned $name $value]] changed
        if {$changed ne $value} { uplevel 1 [list ::benito::assign $name $changed] }
        return $changed
    }
}
foreach name {assigned is_pending option_set} { interp alias $child ::benito::$name {} $name }
set parts [interp eval $child {
    proc ::benito::fix {name} { proc $name [info args $name] [string map {::set ::benito::assign} [info body $name]] }
    ::benito::fix ::benito::place
    ::benito::fix ::benito::parameter
}]
interp recursionlimit $child 400
set deadline [expr {[clock seconds] + $seconds}]
interp limit $child commands -value $commands
interp limit $child time -seconds $deadline

if {[catch {interp invokehidden $child source -encoding utf-8 $script} result options] == 1} {
    set trail [dict get $options -errorinfo]
    if {[string length $trail] > 20000} {
        set trail [string range $trail 0 10000]\n[string range $trail end-10000 end]
    }
    if {$lastfault ne {} && [lindex $lastfault 0] eq $result} {
        emit fault [lindex $lastfault 1] [string range $result 0 400] $trail 1
    } elseif {$result eq {} || [string match {*limit exceeded} $result]} {
        emit limit [list {} 0] [expr {[clock seconds] >= $deadline ? "time" : "command"}] $trail
    } else {
        emit fault [list {} 0] [string range $result 0 400] $trail 0
    }
}
emit end [list {} 0]
flush stdout
exit 0
"""
