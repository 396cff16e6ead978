# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of benito-host, the one program that acts on a vhost.

With ``--json`` it prints one JSON object: the result, or {"error": message} with exit status 1.

Modules that not every command needs are imported where they are needed: importing all of benito-host takes seconds on a vhost under emulation,
several times in each swap-in. Import only in the host's mount namespace, never in that of a node, which has another /var/benito.
"""

# a program of its own, not a module: it prints and exits
# pylint: disable=ansible-bad-function
from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable

from ..clean_text import clean_text
from ..errors import BenitoError, HostError
from .base.os_errors import message
from .base.paths import ExperimentPaths, experiments_here, is_experiment

_SHOWN = 40  # changes in the output for a person; --json has all


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    plain = arguments if arguments[:1] == ["enter"] else [argument for argument in arguments if argument != "--json"]
    parser = _parser(next((word for word in plain if not word.startswith("-")), ""))
    options = parser.parse_args(plain)
    if options.command == "enter" and not (options.node or options.serve):
        parser.error("name a node: benito-host enter NODE [--] COMMAND …")
    options.json = plain != arguments
    if options.command != "enter":
        os.umask(0o022)  # everybody in a node reads its hosts file
    try:
        _use_the_experiments_own_version(options)
        result = options.func(options)
    except (BenitoError, OSError) as exc:
        if options.json:
            print(json.dumps({"error": message(exc)}))
        else:
            print(f"benito-host: {clean_text(message(exc))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.command == "watch":
        return 0
    if options.json:
        print(json.dumps(result or {"changed": False}))
    else:
        _print(result)
    return 0


def _parser(called: str) -> argparse.ArgumentParser:
    """Return a parser of the command that is called; of all commands, without their options, if there is no such command."""
    parser = argparse.ArgumentParser(prog="benito-host", description="Brings this machine into the state that the plan of a Benito experiment describes.",
                                     epilog="With --json every command but enter and watch prints one JSON object.", formatter_class=_HelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in [called] if called in _COMMANDS else _COMMANDS:
        func, about = _COMMANDS[name]
        command = commands.add_parser(name, help=about, description=about, formatter_class=_HelpFormatter)
        command.set_defaults(func=func)
        if name == called:
            _add_options(command, name)
    return parser


class _HelpFormatter(argparse.HelpFormatter):
    """Formats help as wide as the terminal. The original imports shutil for that, and with it three compression libraries."""

    def __init__(self, prog: str):
        try:
            columns = os.get_terminal_size().columns
        except OSError:
            columns = 0
        super().__init__(prog, width=(columns or 80) - 2)


def _add_options(command: argparse.ArgumentParser, name: str) -> None:
    if name == "control-bridge":
        from .control_bridge import commands as control_bridge

        control_bridge.add_commands(command)
        return
    if name not in ("list", "templates"):
        command.add_argument("-e", "--experiment", metavar="PID.EID", help="default: the only experiment on this machine")
    if name in ("install", "apply", "start-commands", "start-unit", "reboot", "make-templates", "templates"):
        command.add_argument("--check", action="store_true", help="only show what would change")
    if name == "reboot":
        command.add_argument("node", metavar="NODE", nargs="+")
    if name == "down":
        command.add_argument("--release", action="store_true", help="also release the machine, whichever controller has leased it")
    if name == "probe":
        command.add_argument("--answer", action="store_true", help="send nothing, only answer the probes of other vhosts from now on")
    if name == "status":
        command.add_argument("--probe", action="store_true", help="also send a frame across each bridge")
    if name == "apply":
        from .run.apply import PARTS

        command.add_argument("--start-unit", action="store_true", help="then start the experiment's unit, as the command start-unit does")
        command.add_argument("--background", action="store_true", help="run in the background; print where progress and result can be read")
        command.add_argument("--part", action="append", choices=PARTS, help="apply only this part; may be repeated")
    if name == "watch":
        command.add_argument("--alive", type=float, default=0, metavar="SECONDS", help="print a line after so many seconds without one")
    if name == "counters":
        command.add_argument("node", metavar="NODE", nargs="*", help="default: all nodes")
    if name == "console":
        command.add_argument("node", metavar="NODE")
        command.add_argument("--lines", type=int, default=50, metavar="N", help="how many of the last lines, 50 if it is not given")
    if name == "enter":
        command.add_argument("--serve", metavar="NAME", help="run the commands that arrive at a socket of this name in /run/benito/enter, for Ansible")
        command.add_argument("node", metavar="NODE", nargs="?")
        command.add_argument("argv", nargs=argparse.REMAINDER, metavar="[--] COMMAND …", help="default: a shell")
    if name == "make-templates":
        command.add_argument("--begin", action="store_true", help="only start making them, in a unit of its own")
    if name == "templates":
        command.add_argument("--limit-mb", type=int, metavar="MIB", help="remove the least recently used ones until the others take no more than this")


def _install(options: argparse.Namespace) -> dict:
    """Install from the input: {"plan": JSON text, or null to keep the present plan, "secrets": {node: {file: text}}}."""
    from ..hostplan import from_json
    from .base.locks import machine_lock
    from .base.packages import missing_packages
    from .run.setup import install, install_secrets

    paths = _paths(options)
    try:
        given = json.load(sys.stdin)
        handed, secrets = given["plan"], given["secrets"]
    except (ValueError, TypeError, KeyError) as exc:
        raise HostError(f"the input does not have the form that the role deter.benito.vhost sends: {type(exc).__name__}: {exc}") from exc
    with machine_lock():
        changes = install(paths, os.path.abspath(sys.argv[0]), handed, options.check)
        changes += install_secrets(paths, secrets, options.check)
    kinds = {vnode.kind for vnode in from_json(handed).vnodes if not vnode.ghost} if handed else ()
    return {"changed": bool(changes), "changes": changes, "missing": missing_packages(kinds)}


def _apply(options: argparse.Namespace) -> dict:
    if not options.background:
        return _applied(options)
    from .base.jobs import begin

    return begin(_paths(options), lambda: _applied(options))


def _applied(options: argparse.Namespace) -> dict:
    from .run.apply import PARTS, apply

    paths = _paths(options)
    result = apply(paths, tuple(options.part or PARTS), options.check)
    started = _start_unit(options)["changes"] if options.start_unit else []
    return {**result, "changed": bool(result["changes"] or started), "changes": [*result["changes"], *started]}


def _probe(options: argparse.Namespace) -> dict:
    paths = _paths(options)
    if options.answer:
        from .run.apply import answer

        return answer(paths)
    from .base.plan_file import read_plan
    from .net.probe import probe

    return probe(read_plan(paths), paths)


def _start_unit(options: argparse.Namespace) -> dict:
    from .run.unit import start_unit

    changes = start_unit(_paths(options), options.check)
    return {"changed": bool(changes), "changes": changes}


def _start_commands(options: argparse.Namespace) -> dict:
    from .run.unit import start_commands

    return start_commands(_paths(options), options.check)


def _reboot(options: argparse.Namespace) -> dict:
    from .run.reboot import reboot

    return reboot(_paths(options), options.node, options.check)


def _status(options: argparse.Namespace) -> dict:
    from .run.status import status

    return status(_paths(options), options.probe)


def _watch(options: argparse.Namespace) -> None:
    from .watch.client import watch

    watch(_paths(options), alive_s=max(options.alive, 0.0))


def _counters(options: argparse.Namespace) -> dict:
    from .run.reading import counters

    return counters(_paths(options), options.node)


def _console(options: argparse.Namespace) -> dict | None:
    from .run.reading import printed

    found = printed(_paths(options), options.node, options.lines)
    if options.json:
        return found
    for name, text in found["texts"].items():
        if text and name == "errors":
            print("standard error:")
        if text:
            print(text)
    return None


def _restore_filter(options: argparse.Namespace) -> dict:
    from .run.apply import restore_filter

    return restore_filter(_paths(options))


def _down(options: argparse.Namespace) -> dict:
    from .run.apply import down

    paths = _paths(options)
    result = down(paths)
    if options.release:
        from .pool.lease import release_lease

        released = [f"lease of {paths.experiment}: released"] if release_lease(paths.experiment, owner=None) else []
        result = {**result, "changed": result["changed"] or bool(released), "changes": [*result["changes"], *released]}
    return result


def _supervise(options: argparse.Namespace) -> None:
    from .run.supervisor import supervise

    supervise(_paths(options))


def _make_templates(options: argparse.Namespace) -> dict:
    from .base.plan_file import read_plan
    from .qemu.template_notes import templates_here
    from .qemu.warm_choice import begin_templates, make_templates

    paths = _paths(options)
    plan = read_plan(paths)
    changes = begin_templates(plan, paths, options.check) if options.begin or options.check else make_templates(plan, paths)
    return {"changed": bool(changes), "changes": changes, "templates": templates_here()}


def _templates(options: argparse.Namespace) -> dict:
    from .qemu.template_task import run_task

    return run_task({"limit_mb": options.limit_mb, "check_mode": options.check})


def _enter(options: argparse.Namespace) -> None:
    if options.serve:
        from .run.enter_server import serve

        serve(_paths(options), options.serve)
        return
    from .run.enter import enter

    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    enter(options.node, _named(options), argv)


def _list(_options: argparse.Namespace) -> dict:
    return {"changed": False, "experiments": experiments_here()}


_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], dict | None] | None, str]] = {
    "install": (_install, "install a host plan and secrets, given as JSON, and the experiment's unit"),
    "apply": (_apply, "build what the plan says and change what differs"),
    "probe": (_probe, "send full-size packets to every other vhost"),
    "start-unit": (_start_unit, "start the experiment's unit, with start commands held back"),
    "start-commands": (_start_commands, "start the start commands that have not been started"),
    "reboot": (_reboot, "reboot nodes; their start commands run again"),
    "status": (_status, "show the state of nodes and substrates"),
    "watch": (_watch, "print each change of a node's state as a line of JSON, until nobody reads it"),
    "counters": (_counters, "show how much each interface of nodes has received and sent"),
    "console": (_console, "show the last lines of a node's console, or of its start command's output"),
    "down": (_down, "remove the experiment from this machine"),
    "supervise": (_supervise, "run as the main process of the experiment's unit"),
    "restore-filter": (_restore_filter, "load the packet filter again if another program has changed it"),
    "enter": (_enter, "run a command in a process node"),
    "make-templates": (_make_templates, "make the missing warm templates that the plan's virtual machines need"),
    "templates": (_templates, "list the warm templates on this machine, or remove some"),
    "list": (_list, "list the experiments on this machine"),
    "control-bridge": (None, "manage the bridge that carries the control network"),
}


def _named(options: argparse.Namespace) -> str | None:
    """Return the experiment that was named, or None. Raises HostError when the name is not valid."""
    if options.experiment is not None and not is_experiment(options.experiment):
        raise HostError(f"{options.experiment!r} is not PID.EID")
    return options.experiment


def _paths(options: argparse.Namespace) -> ExperimentPaths:
    """Return the experiment that was named, or the only one on this machine. Raises HostError."""
    if _named(options):
        return ExperimentPaths(options.experiment)
    found = experiments_here()
    if len(found) != 1:
        raise HostError(f"name an experiment with -e PID.EID: {', '.join(found) or 'there is none on this machine'}")
    return ExperimentPaths(found[0])


def _use_the_experiments_own_version(options: argparse.Namespace) -> None:
    """Replace this process by the version that the experiment was swapped in with, if that is another one."""
    if "experiment" not in options or options.command == "supervise" or "BENITO_VERSION_CHOSEN" in os.environ:
        return
    if options.command == "enter" and options.node:
        from .run.enter import find_node

        paths = find_node(options.node, _named(options))
    else:
        paths = _paths(options)
    if os.path.exists(paths.program) and not os.path.samefile(paths.program, sys.argv[0]):
        os.environ["BENITO_VERSION_CHOSEN"] = "1"
        os.execv(paths.program, [paths.program, *sys.argv[1:]])


def _print(result: dict | None) -> None:
    changes = (result or {}).get("changes", ())
    for change in changes[:_SHOWN]:
        print(clean_text(change))
    if len(changes) > _SHOWN:
        print(f"… and {len(changes) - _SHOWN} more")
    rest = {key: value for key, value in (result or {}).items() if key not in ("changes", "changed") and value != []}
    if rest:
        print(json.dumps(rest, indent=2))


if __name__ == "__main__":
    sys.exit(main())
