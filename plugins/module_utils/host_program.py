# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""For a module that also drives benito-host, on its own host: run it, report what it says. Most of that is done without a module, see host_action.py."""

from __future__ import annotations

import json
import os

from .host.place import Place, is_experiment
from .names import experiment_name

PROGRAM = "/var/benito/bin/benito-host"


def run_program(module, *arguments: str) -> dict:
    """What ``benito-host … --json`` says, as a dict; the task fails with its message when it fails."""
    command = [module.params["program"], *arguments, "--json"]
    if not os.path.exists(command[0]):
        if module.check_mode:
            return {"changed": True, "changes": [f"{arguments[0]}: all of it, on a host without {command[0]} yet"]}
        module.fail_json(msg=f"{command[0]} is not installed on this host: the role deter.benito.vhost does it")
    code, out, err = module.run_command(command, handle_exceptions=False)
    try:
        result = json.loads(out)
    except ValueError:
        module.fail_json(msg=f"{' '.join(command)} ended with {code}: {(err or out).strip()}")
    if "error" in result:
        module.fail_json(msg=result["error"])
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    return result


def run_for_experiment(module, *arguments: str) -> dict:
    """The same for the experiment that the module's options name; adds ``--check`` in check mode."""
    experiment = experiment_name(module.params["pid"], module.params["eid"])
    if module.check_mode and is_experiment(experiment) and not os.path.exists(Place(experiment).plan):
        return {"changed": True, "changes": [f"{arguments[0]}: all of it, on a host without {experiment} yet"]}
    check = ["--check"] if module.check_mode else []
    return run_program(module, *arguments, "-e", experiment, *check)


def outcome(result: dict) -> dict:
    """A result as a task reports it, with a diff of what changed in words."""
    changes = result.get("changes", [])
    return {**result, "diff": {"before": "", "after": "".join(f"{change}\n" for change in changes)}}
