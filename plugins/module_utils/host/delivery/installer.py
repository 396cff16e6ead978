# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs benito-host on a vhost. The vhost runs this text as ``python3 -IS -c``; nothing else of the collection is there yet.

Reads {"directory": target, "files": {path below it: text}, "compiled": {path: base64}} as JSON. The file named benito-host becomes executable.
Prints one JSON object: {} or {"error": message}.
"""

# a program of its own, not a module: it prints
# pylint: disable=ansible-bad-function
from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import tempfile


def write(directory: str, files: dict[str, bytes]) -> None:
    """Install the files whole or not at all: write them beside ``directory``, then rename. Do nothing if another run was faster. Raises OSError."""
    os.makedirs(os.path.dirname(directory), mode=0o755, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(directory))
    try:
        for name, content in files.items():
            path = f"{temporary}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(content)
            if name == "benito-host":
                os.chmod(path, 0o755)
        os.chmod(temporary, 0o755)
        os.rename(temporary, directory)
    except BaseException as exc:
        shutil.rmtree(temporary, ignore_errors=True)
        if not (isinstance(exc, OSError) and os.path.exists(f"{directory}/benito-host")):
            raise


def main() -> None:
    os.umask(0o022)
    wanted = json.load(sys.stdin)
    files = {name: text.encode() for name, text in wanted["files"].items()}
    files.update({name: base64.b64decode(content) for name, content in wanted.get("compiled", {}).items()})
    try:
        write(wanted["directory"], files)
    except OSError as exc:
        print(json.dumps({"error": f"cannot install benito-host in {wanted['directory']}: {exc.strerror}"}))
    else:
        print("{}")


if __name__ == "__main__":
    main()
