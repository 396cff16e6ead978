# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line of benito-host, the one program that acts on a vhost.

With ``--json`` it prints one JSON object: what was done, or {"error": why not} with exit status 1.
"""

# a program of its own, not a module: it prints and exits
# pylint: disable=ansible-bad-function
from __future__ import annotations

import argparse
import json
import os
import sys

from ..errors import BenitoError, HostError
from ..hostplan import from_json
from . import control_bridge, template_making
from .apply import PARTS, answer, apply, down
from .enter import enter, find_node
from .jobs import begin
from .locks import machine_lock
from .place import Place, experiments_here, is_experiment
from .plan_file import read_plan
from .prepare import install, install_secrets, missing_packages
from .probe import probe
from .reboot import reboot
from .status import status
from .supervisor import supervise
from .unit import start_commands, start_unit
from .warm_choice import begin_templates, make_templates

_SHOWN = 40  # changes that a person is shown; --json has all


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    plain = arguments if arguments[:1] == ["enter"] else [argument for argument in arguments if argument != "--json"]
    options = _parser().parse_args(plain)
    options.json = plain != arguments
    if options.command != "enter":
        os.umask(0o022)  # everybody in a node reads its hosts file
    try:
        _use_the_experiments_own_version(options)
        result = options.func(options)
    except (BenitoError, OSError) as exc:
        if options.json:
            print(json.dumps({"error": str(exc)}))
        else:
            print(f"benito-host: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.json:
        print(json.dumps(result or {"changed": False}))
    else:
        _print(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benito-host", description="Makes this machine look like the plan of a Benito experiment.",
                                     epilog="With --json every command but enter prints one JSON object.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, func, about in (
        ("install", _install, "have a host plan and secrets, given as JSON, and the experiment's unit"),
        ("apply", _apply, "build what the plan says, change what differs"),
        ("probe", _probe, "send full-size packets to every other vhost"),
        ("start-unit", _start_unit, "start the experiment's unit, start commands held back"),
        ("start-commands", lambda o: start_commands(_place(o), o.check), "start the start commands that have not run"),
        ("reboot", lambda o: reboot(_place(o), o.node, o.check), "reboot nodes; their start commands run again"),
        ("status", lambda o: status(_place(o)), "the state of nodes and substrates"),
        ("down", lambda o: down(_place(o)), "take the experiment away from this machine"),
        ("supervise", lambda o: supervise(_place(o)), "what the unit runs"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("-e", "--experiment", metavar="PID.EID", help="default: the only experiment on this machine")
        command.set_defaults(func=func)
        if name in ("install", "apply", "start-commands", "start-unit", "reboot"):
            command.add_argument("--check", action="store_true", help="only tell what would change")
        if name == "reboot":
            command.add_argument("node", metavar="NODE", nargs="+")
        if name == "probe":
            command.add_argument("--answer", action="store_true", help="send nothing, only answer those of others from now on")
        if name == "apply":
            command.add_argument("--start-unit", action="store_true", help="then start the experiment's unit, as the command start-unit does")
            command.add_argument("--background", action="store_true", help="only begin; tell where progress and result can be read")
            command.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    command = commands.add_parser("enter", help="run a command in a process node", description="Run a command (default: a shell) in a process node.")
    command.add_argument("-e", "--experiment", metavar="PID.EID")
    command.add_argument("node", metavar="NODE")
    command.add_argument("argv", nargs=argparse.REMAINDER, metavar="[--] COMMAND …")
    command.set_defaults(func=_enter)
    command = commands.add_parser("make-templates", help="make the warm templates that the plan's virtual machines will need",
                                  description="Make the warm templates that the plan's virtual machines will need, where there are none.")
    command.add_argument("-e", "--experiment", metavar="PID.EID")
    command.add_argument("--begin", action="store_true", help="only have it begun, by a unit of its own")
    command.add_argument("--check", action="store_true", help="only tell what would be made")
    command.set_defaults(func=_make_templates)
    command = commands.add_parser("templates", help="the warm templates on this machine", description="Lists the warm templates here, or removes some.")
    command.add_argument("--limit-mb", type=int, metavar="MIB", help="remove those used longest ago until the others take no more than this")
    command.add_argument("--check", action="store_true", help="only tell what would be removed")
    command.set_defaults(func=_templates)
    command = commands.add_parser("list", help="the experiments on this machine")
    command.set_defaults(func=lambda o: {"changed": False, "experiments": experiments_here()})
    control_bridge.add_commands(commands)
    return parser


def _install(options) -> dict:
    """The input is {"plan": JSON text or null for the one that is there, "secrets": {node: {file: text}}}."""
    place = _place(options)
    try:
        given = json.load(sys.stdin)
        handed, secrets = given["plan"], given["secrets"]
    except (ValueError, TypeError, KeyError) as exc:
        raise HostError(f"the input is not what the role deter.benito.vhost hands over: {type(exc).__name__}: {exc}") from exc
    with machine_lock():
        changes = install(place, os.path.abspath(sys.argv[0]), handed, options.check)
        changes += install_secrets(place, secrets, options.check)
    kinds = {vnode.kind for vnode in from_json(handed).vnodes if not vnode.ghost} if handed else ()
    return {"changed": bool(changes), "changes": changes, "missing": missing_packages(kinds)}


def _apply(options) -> dict:
    return begin(_place(options), lambda: _applied(options)) if options.background else _applied(options)


def _applied(options) -> dict:
    place = _place(options)
    result = apply(place, tuple(options.part or PARTS), options.check)
    changes = result["changes"] + (start_unit(place, options.check) if options.start_unit else [])
    return {**result, "changed": bool(changes), "changes": changes}


def _probe(options) -> dict:
    return answer(_place(options)) if options.answer else probe(read_plan(_place(options)), _place(options))


def _start_unit(options) -> dict:
    changes = start_unit(_place(options), options.check)
    return {"changed": bool(changes), "changes": changes}


def _make_templates(options) -> dict:
    place = _place(options)
    plan = read_plan(place)
    changes = begin_templates(plan, place, options.check) if options.begin or options.check else make_templates(plan, place)
    return {"changed": bool(changes), "changes": changes}


def _templates(options) -> dict:
    return template_making.visit({"limit_mb": options.limit_mb, "check_mode": options.check})


def _enter(options) -> None:
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    enter(options.node, _named(options), argv)


def _named(options) -> str | None:
    """The experiment that was named, if one was. Raises HostError when that is no name of one."""
    if options.experiment is not None and not is_experiment(options.experiment):
        raise HostError(f"{options.experiment!r} is not PID.EID")
    return options.experiment


def _place(options) -> Place:
    """The experiment that was named, or the only one here. Raises HostError."""
    if _named(options):
        return Place(options.experiment)
    found = experiments_here()
    if len(found) != 1:
        raise HostError(f"say which experiment with -e PID.EID: {', '.join(found) or 'none is on this machine'}")
    return Place(found[0])


def _use_the_experiments_own_version(options) -> None:
    """An experiment is looked after by the version it was swapped in with, whichever was called."""
    if "experiment" not in options or options.command == "supervise" or "BENITO_VERSION_CHOSEN" in os.environ:
        return
    place = find_node(options.node, _named(options)) if options.command == "enter" else _place(options)
    if os.path.exists(place.program) and not os.path.samefile(place.program, sys.argv[0]):
        os.environ["BENITO_VERSION_CHOSEN"] = "1"
        os.execv(place.program, [place.program, *sys.argv[1:]])


def _print(result) -> None:
    changes = (result or {}).get("changes", ())
    for change in changes[:_SHOWN]:
        print(change)
    if len(changes) > _SHOWN:
        print(f"… and {len(changes) - _SHOWN} more")
    rest = {key: value for key, value in (result or {}).items() if key not in ("changes", "changed") and value != []}
    if rest:
        print(json.dumps(rest, indent=2))


if __name__ == "__main__":
    sys.exit(main())
