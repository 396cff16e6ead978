# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running work beside the caller's, in a child process: threads would share the namespaces that setns changes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from ...errors import HostError
from .os_errors import message


@contextmanager
def in_a_child(work: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Run ``work()`` in a child process while the block runs. Yield a function that waits for the child to end.

    That function raises HostError with the child's error. It may be called any number of times. Leaving the block waits, too.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _do(work, writer)
    os.close(writer)
    messages: list[str] = []

    def wait() -> None:
        if not messages:
            with os.fdopen(reader, encoding="utf-8", errors="replace") as stream:
                text = stream.read()
            _pid, status = os.waitpid(child, 0)
            messages.append(text or _end_message(status))
        if messages[0]:
            raise HostError(messages[0])

    try:
        yield wait
    except BaseException:
        try:
            wait()
        except HostError:
            pass  # the exception that ended the block is reported
        raise
    wait()


def _do(work: Callable[[], object], writer: int) -> NoReturn:
    """Do the work in the child. Never returns."""
    try:
        work()
        os._exit(0)
    except BaseException as exc:  # whatever it is, the parent reports it
        expected = isinstance(exc, (OSError, HostError))
        os.write(writer, (message(exc) if expected else _unexpected(exc)).encode(errors="replace"))
    finally:
        os._exit(1)


def _unexpected(exc: BaseException) -> str:
    """Return a line about a bug: the exception, and the line of code that raised it."""
    import traceback

    frames = traceback.extract_tb(exc.__traceback__)
    where = f", at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"unexpected error {type(exc).__name__}: {exc}{where}"


def _end_message(status: int) -> str:
    """Return how a child without a message ended, from its wait status; "" for success."""
    if status == 0:
        return ""
    if os.WIFSIGNALED(status):
        return f"a process of benito-host was ended by signal {os.WTERMSIG(status)} ({signal.strsignal(os.WTERMSIG(status))})"
    return f"a process of benito-host ended with exit status {os.WEXITSTATUS(status)} and no message"
