# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one function of benito-host on a machine that need not have it installed, and leaves nothing there. The machine runs this text as ``python3 -IS -c``.

Reads {"files": {path: text} of the program, "module": name, "options": the argument of the module's function ``run_task``} as JSON.
Prints one JSON object: the function's result, or {"error": message}.
"""

# a program of its own, not a module: it prints
# pylint: disable=ansible-bad-function
from __future__ import annotations

import importlib
import importlib.util
import json
import sys

TYPE_CHECKING = False  # typing, which has it, takes longer to read than all that is imported here
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Carried:
    """Finds and loads modules whose texts are at hand, {path: text}.

    It does not derive from MetaPathFinder and Loader, because importing importlib.abc takes longer than importing all of benito-host.
    """

    def __init__(self, files: dict):
        self._files = files

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        name = fullname.replace(".", "/")
        package = f"{name}/__init__.py" in self._files
        if not package and f"{name}.py" not in self._files:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=package)  # type: ignore[arg-type]  # has what a loader has, see above

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.replace(".", "/")
        path = f"{name}/__init__.py" if f"{name}/__init__.py" in self._files else f"{name}.py"
        exec(compile(self._files[path], path, "exec", dont_inherit=True), module.__dict__)  # pylint: disable=exec-used


def main() -> None:
    given = json.load(sys.stdin)
    sys.meta_path.insert(0, Carried(given["files"]))
    errors = importlib.import_module("benito_host.errors")
    try:
        result = importlib.import_module(given["module"]).run_task(given["options"])
    except (errors.BenitoError, OSError) as exc:
        result = {"error": str(exc)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
