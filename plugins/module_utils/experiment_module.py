# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules that act on an experiment's directory have in common: its name, and errors as messages."""

from __future__ import annotations

from collections.abc import Callable

from ansible.module_utils.basic import AnsibleModule

from .errors import BenitoError
from .experiment import ExperimentDirectory


def run_on_directory(run: Callable[[ExperimentDirectory, AnsibleModule], dict], **arguments: dict) -> None:
    """A whole module: ``run(directory, module)`` gives its result; ``arguments`` are its options beside the common three."""
    common = {"pid": {"type": "str", "required": True}, "eid": {"type": "str", "required": True}, "benito_home": {"type": "str"}}
    module = AnsibleModule(argument_spec={**common, **arguments}, supports_check_mode=True)
    try:
        module.exit_json(**run(ExperimentDirectory(module.params["benito_home"], module.params["pid"], module.params["eid"]), module))
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
