# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run test suites: scripts/test.py [suite…]. Without an argument, run all.

Every suite runs even if an earlier one failed. Suites that look only at their own pnodes run side by side in lanes of about equal length.
Suites that compare the state of this machine run last, and only suites that read files run beside them.
The output ends with a table of counts and times, then ``N passed, N failed``. The output of each suite also goes to tests/output/SUITE.log.

Caches are in .cache. Everything else is in one temporary directory, which is removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "tests" / "output"
CACHE = ROOT / ".cache"


@dataclass(frozen=True)
class Suite:
    """A command whose output tells how many of its tests passed.

    count  (text of the output, exit status) -> (passed, failed)
    root   whether it needs root
    undo   a command that removes what an interrupted run leaves behind
    """

    name: str
    command: tuple[str, ...]
    count: Callable[[str, int], tuple[int, int]]
    root: bool = False
    undo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    suite: str
    passed: int
    failed: int
    seconds: float
    reasons: tuple[str, ...] = ()


def one(text: str, status: int) -> tuple[int, int]:
    """Count a command as one test."""
    return (1, 0) if status == 0 else (0, 1)


def closing_line(text: str, status: int) -> tuple[int, int]:
    """Read the last ``N passed, N failed`` of pytest or scripts/lint. Errors count as failures."""
    lines = [line for line in text.splitlines() if re.search(r"\b\d+ (passed|failed|error)", line)]
    found = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", lines[-1])} if lines else {}
    failed = found.get("failed", 0) + found.get("error", 0)
    return found.get("passed", 0), failed or int(status != 0)


def ansible_test(text: str, status: int) -> tuple[int, int]:
    """Count the sanity tests that ran, and those that ansible-test lists as failed."""
    ran = len(re.findall(r"^Running sanity test ", text, re.MULTILINE))
    listed = re.search(r"The (\d+) sanity test\(s\) listed below", text)
    failed = int(listed[1]) if listed else int(status != 0)
    return ran - failed if ran else 0, failed


def suites() -> list[list[list[Suite]]]:
    """Return phases of lanes of suites. Phases run one after another, lanes side by side, the suites of a lane one after another."""
    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=15", "--durations-min=5")
    scenarios = sorted(path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml"))
    unit = [
        Suite("unit", (*pytest, "-n", "2", "tests/unit"), closing_line),
        Suite("unit:plugins", (*pytest, "-n", "2", "tests/unit/plugins"), closing_line),
    ]
    lint, galaxy = Suite("lint", ("scripts/lint",), closing_line), Suite("galaxy", ("scripts/galaxy",), one)
    sanity = Suite("sanity", ("scripts/sanity",), ansible_test)
    molecule = {
        name: Suite(f"molecule:{name}", ("molecule", "test", "--no-command-borders", "-s", name), one, True, ("molecule", "destroy", "-s", name))
        for name in scenarios
    }
    alone = [molecule.pop("local_testbed"), Suite("demo", (*pytest, "tests/integration/test_demo.py"), closing_line, root=True)]
    hostile, walls = (f"tests/integration/machines/test_{name}.py" for name in ("fences", "firewalls"))
    machines = Suite("machines", (*pytest, "tests/integration/machines", f"--ignore={hostile}", f"--ignore={walls}"), closing_line, root=True)
    fences = Suite("fences", (*pytest, hostile), closing_line, root=True)
    firewalls = Suite("firewalls", (*pytest, walls), closing_line, root=True)
    faults = Suite("faults", (*pytest, "tests/integration/faults"), closing_line, root=True)
    elsewhere = ("--ignore=tests/integration/machines", "--ignore=tests/integration/faults", "--ignore=tests/integration/test_demo.py")
    integration = Suite("integration", (*pytest, "tests/integration", *elsewhere), closing_line, root=True)
    long = molecule.pop("testbed_machines")
    return [[unit], [[machines, fences, firewalls, faults], [integration, lint, galaxy], [long, *molecule.values()]], [alone, [sanity]]]


def environment(temporary: Path) -> dict[str, str]:
    """Return the environment of every suite: tools of .venv, caches under .cache, all else in ``temporary``."""
    home = CACHE / "home"
    for directory in (home, temporary / "cp"):
        directory.mkdir(parents=True, exist_ok=True)
    _keep_pip_settings(home)
    return {
        **os.environ,
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(temporary / "cp"),
        "BENITO_TEST_HOME": str(temporary / "benito"),
        "BENITO_SUITES": str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "160",
    }


def _keep_pip_settings(home: Path) -> None:
    """Link the user's pip configuration into ``home``, where pip looks for it."""
    for name in (".config/pip", ".pip"):
        user, ours = Path.home() / name, home / name
        if user.exists() and not ours.exists():
            ours.parent.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(user)


def reasons(lines: list[str], at_most: int = 6, width: int = 500) -> tuple[str, ...]:
    """Return the lines of a failed suite's output that say why, preferably pytest's summary. Long lines are shortened in the middle."""
    stripped = [line.strip() for line in lines if line.strip()]
    summary_lines = [line for line in stripped if re.match(r"(FAILED|ERROR) \S+\.py\b", line)]
    telling = summary_lines or [line for line in stripped if re.match(r"(fatal:|failed:|\[ERROR\]|FATAL|CRITICAL|\S*Error:)", line)] or stripped[-at_most:]
    half = width // 2
    return tuple(line if len(line) <= width else f"{line[:half]} … {line[-half:]}" for line in telling[:at_most])


class Terminal:
    """Prints the lines of suites that run side by side, each with the name of its suite."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, suite: str, line: str) -> None:
        with self._lock:
            print(f"{suite:<12} | {line}", flush=True)


class Interruption:
    """Passes SIGINT or SIGTERM on once to the running suites, each of which has its own session. No other suite starts then."""

    def __init__(self) -> None:
        self.signal = 0
        self._running: set[subprocess.Popen] = set()

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, _frame: object) -> None:
        if not self.signal:
            print("Interrupted. The suites clean up, which may take a minute.", file=sys.stderr, flush=True)
            self.signal = number
            for process in tuple(self._running):
                os.killpg(process.pid, signal.SIGINT)

    @contextlib.contextmanager
    def watches(self, process: subprocess.Popen) -> Iterator[None]:
        self._running.add(process)
        if self.signal:  # the signal came between the last check and this line
            os.killpg(process.pid, signal.SIGINT)
        try:
            yield
        finally:
            self._running.remove(process)


def run(suite: Suite, terminal: Terminal, env: dict[str, str], interruption: Interruption) -> Result:
    """Run one suite and return its counts."""
    if suite.root and os.geteuid() != 0:
        terminal.say(suite.name, "This suite makes network namespaces and system containers. Run it as root.")
        return Result(suite.name, 0, 1, 0.0)
    terminal.say(suite.name, "$ " + " ".join(suite.command))
    started = time.monotonic()
    lines = []
    log = OUTPUT / f"{suite.name.replace(':', '-')}.log"
    with log.open("w") as file, subprocess.Popen(
        suite.command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        start_new_session=True,
    ) as process, interruption.watches(process):
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            file.write(line)
            terminal.say(suite.name, line.rstrip())
    if interruption.signal and suite.undo:
        subprocess.run(suite.undo, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    passed, failed = suite.count("".join(lines), process.returncode)
    seconds = time.monotonic() - started
    terminal.say(suite.name, f"{'ok' if not failed else 'FAILED'}: {passed} passed, {failed} failed in {seconds:.0f} s")
    return Result(suite.name, passed, failed, seconds, reasons(lines) if failed else ())


def end_ssh_masters(temporary: Path) -> None:
    """Close the SSH connections that Ansible keeps open for a next play."""
    for socket in (temporary / "cp").glob("*"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "nobody"], capture_output=True, check=False, timeout=10)


def summary(results: list[Result], seconds: float) -> bool:
    """Print the table, the reasons of failures and the closing line. Return whether everything passed."""
    print("\nsuite                          passed  failed  seconds")
    for result in results:
        print(f"{result.suite:<30} {result.passed:>6}  {result.failed:>6}  {result.seconds:>7.0f}")
    for result in results:
        for reason in result.reasons:
            print(f"{result.suite}: {reason}")
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    print(f"The suites took {seconds:.0f} s. Their output is in tests/output.\n\n{passed} passed, {failed} failed", flush=True)
    return failed == 0 and passed > 0


def main(wanted: list[str]) -> int:
    phases = suites()
    known = [suite.name for lanes in phases for lane in lanes for suite in lane]
    unknown = [name for name in wanted if name not in known and name not in {k.split(":")[0] for k in known}]
    if unknown:
        print(f"There is no suite {', '.join(unknown)}. The suites are: {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [name for name in known if not wanted or name in wanted or name.split(":")[0] in wanted]

    interruption = Interruption()
    interruption.listen()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="benito-test-"))
    terminal, started = Terminal(), time.monotonic()
    results: dict[str, Result] = {}

    def run_lane(lane: list[Suite]) -> None:
        for suite in lane:
            if suite.name in chosen and not interruption.signal:
                results[suite.name] = run(suite, terminal, env, interruption)

    try:
        env = environment(temporary)
        for lanes in phases:
            with ThreadPoolExecutor(len(lanes)) as pool:
                list(pool.map(run_lane, lanes))
    finally:
        end_ssh_masters(temporary)
        with contextlib.suppress(OSError):
            shutil.rmtree(temporary)
    passed = summary([results[name] for name in chosen if name in results], time.monotonic() - started)
    return 128 + interruption.signal if interruption.signal else int(not passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
