# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work done beside ours, in a child process: threads would share what setns changes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ...errors import HostError


@contextmanager
def in_a_child(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Run ``work()`` in a child while the block runs; yields a function that waits for its end.

    That function raises HostError with what the child raised; leaving the block waits too. It may be called
    any number of times.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _do(work, writer)
    os.close(writer)
    said: list[str] = []

    def wait() -> None:
        if not said:
            with os.fdopen(reader, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            _pid, status = os.waitpid(child, 0)
            said.append(text or _end_in_words(status))
        if said[0]:
            raise HostError(said[0])

    try:
        yield wait
    except BaseException:
        try:
            wait()
        except HostError:
            pass  # what ended the block is what is reported
        raise
    wait()


def _do(work: Callable[[], object], writer: int) -> NoReturn:
    """In the child. Never returns."""
    try:
        work()
        os._exit(0)
    except BaseException as exc:  # whatever it is, it is said where the parent reports it
        expected = isinstance(exc, (OSError, HostError))
        os.write(writer, (str(exc) if expected else _unexpected(exc)).encode(errors="replace"))
    finally:
        os._exit(1)


def _unexpected(exc: BaseException) -> str:
    """An error of ours: what and where, on one line."""
    import traceback

    frames = traceback.extract_tb(exc.__traceback__)
    where = f", at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"an error nobody foresaw, {type(exc).__name__}: {exc}{where}"


def _end_in_words(status: int) -> str:
    """How a child that said nothing ended, from its wait status; "" when all is well."""
    if status == 0:
        return ""
    if os.WIFSIGNALED(status):
        return f"a process of benito-host was ended by signal {os.WTERMSIG(status)} ({signal.strsignal(os.WTERMSIG(status))})"
    return f"a process of benito-host ended with exit status {os.WEXITSTATUS(status)} and no message"
