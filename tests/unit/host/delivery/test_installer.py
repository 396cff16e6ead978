# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""benito-host gets to a vhost as text, whole or not at all, and runs there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.deter.benito.plugins.module_utils.host.delivery.archive import compiled_files, installer, program_files


def install(directory, files, compiled=None) -> dict:
    given = json.dumps({"directory": str(directory), "files": files, "compiled": compiled or {}})
    done = subprocess.run(["python3", "-c", installer()], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_was_installed_runs_and_is_for_everybody_to_read(tmp_path):
    _directory, files = program_files()
    launcher = files["benito-host"].replace(_directory, str(tmp_path / "lib/one"))
    assert install(tmp_path / "lib/one", {**files, "benito-host": launcher}) == {}
    shown = subprocess.run([tmp_path / "lib/one/benito-host", "--help"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("usage: benito-host")
    assert (tmp_path / "lib/one").stat().st_mode & 0o777 == 0o755


def test_what_was_compiled_elsewhere_is_what_runs(tmp_path):
    files, compiled = program_files()[1], compiled_files()
    assert {name.split(".")[0].replace("__pycache__/", "") for name in compiled} == {name[:-3] for name in files if name.endswith(".py")}
    names = "benito_host/names.py", f"benito_host/__pycache__/names.{sys.implementation.cache_tag}.pyc"
    only = {name: content for name, content in compiled.items() if name == names[1]}
    install(tmp_path / "lib/one", {"benito_host/__init__.py": "", names[0]: "raise SystemExit('compiled here')", "benito-host": ""}, only)
    shown = subprocess.run([sys.executable, "-c", "import benito_host.names; print(benito_host.names.is_project_name('DeterTest'))"],
                           cwd=tmp_path / "lib/one", capture_output=True, text=True, check=True)
    assert shown.stdout == "True\n"


def test_of_ten_at_the_same_time_all_succeed_and_one_remains(tmp_path):
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda number: install(tmp_path / "lib/one", {"benito-host": "", "benito_host/x.py": f"{number}"}), range(10))) == [{}] * 10
    assert os.listdir(tmp_path / "lib") == ["one"]


def test_where_it_cannot_be_written_the_reason_is_said_and_nothing_stays(tmp_path):
    (tmp_path / "lib").write_text("")
    assert install(tmp_path / "lib/one", {"benito-host": ""}) == {"error": f"cannot install benito-host in {tmp_path}/lib/one: File exists"}
    (tmp_path / "other").mkdir()
    said = install(tmp_path / "other/one", {"benito-host": "", "a": "", "a/b": ""})
    assert said["error"].startswith(f"cannot install benito-host in {tmp_path}/other/one: ")
    assert os.listdir(tmp_path / "other") == []


def test_another_text_belongs_elsewhere(monkeypatch):
    from ansible_collections.deter.benito.plugins.module_utils.host.delivery import archive

    before = program_files()[0]
    monkeypatch.setattr(archive, "SHARED", ("errors.py", "hostplan.py"))
    program_files.cache_clear()
    try:
        assert program_files()[0] != before
    finally:
        program_files.cache_clear()
