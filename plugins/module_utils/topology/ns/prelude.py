# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Tcl half of the NS reader, second part: the commands, and the safe interpreter that runs the file.

It is Tcl text in a Python file, since Ansible only transfers Python files of module_utils to the host of a module.

It only knows what the file can query: the objects, their classes, their names, and the members of links and LANs. Python interprets the calls
and checks their values, from the records that this part writes.
"""

from __future__ import annotations

from .prelude_objects import OBJECTS

_INTERPRETER = r"""
# --- commands --------------------------------------------------------------------------------

proc testbed {name args} {
    tell testbed $name {*}$args
    if {$name eq "tb-set-node-startcmd"} {
        return [program_of [lindex $args 0]]
    }
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
    tell source $given $path
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

# Seconds of the processor that this process has had: fields 14 and 15 of proc(5)'s stat, in hundredths.
proc seconds_used {} {
    set stat [open /proc/self/stat]
    set fields [read $stat]
    close $stat
    set fields [lrange [string range $fields [string last ) $fields]+2 end] 11 12]
    expr {([lindex $fields 0] + [lindex $fields 1]) / 100.0}
}

# The interpreter's time is that of the clock. On a busy machine the file gets more of it, until the processor's time is used up.
proc out_of_time {} {
    global child seconds last
    set rest [expr {$seconds - [seconds_used]}]
    set next [expr {[clock seconds] + int(ceil($rest))}]
    if {$rest <= 0 || $next > $last} {
        set ::ended time
    } else {
        interp limit $child time -seconds $next
    }
}

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
set ended command
set last [expr {[clock seconds] + $wall_seconds}]
interp limit $child commands -value $commands
interp limit $child time -seconds [expr {[clock seconds] + $seconds}] -command out_of_time

if {[catch {interp invokehidden $child source -encoding utf-8 $script} result options] == 1} {
    set trail [dict get $options -errorinfo]
    if {[string length $trail] > 20000} {
        set trail [string range $trail 0 10000]\n[string range $trail end-10000 end]
    }
    if {$lastfault ne {} && [lindex $lastfault 0] eq $result} {
        emit fault [lindex $lastfault 1] [string range $result 0 400] $trail 1
    } elseif {$result eq {} || [string match {*limit exceeded} $result]} {
        emit limit [list {} 0] $ended $trail
    } else {
        emit fault [list {} 0] [string range $result 0 400] $trail 0
    }
}
emit end [list {} 0]
flush stdout
exit 0
"""

PRELUDE = OBJECTS + _INTERPRETER
