# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network experiments from Python. docs/python.md describes the class Experiment, docs/command.md the command ``benito``.

The package runs the playbooks of the collection deter.benito. The collection's plugins never import it. Every name of __all__ is loaded
when it is first used. CollectionMissing is then raised if the collection is not installed.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

from .collection import CollectionMissing, make_importable

if TYPE_CHECKING:
    from .errors import BenitoError, ExperimentError, HostError, InputError, NoChoice, Problem, RunError, WaitTimeout
    from .experiment import Experiment

__all__ = [
    "BenitoError", "CollectionMissing", "Experiment", "ExperimentError", "HostError", "InputError", "NoChoice", "Problem", "RunError", "WaitTimeout",
]

with contextlib.suppress(CollectionMissing):  # the command says it in a sentence
    make_importable()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    make_importable()
    return getattr(importlib.import_module(".experiment" if name == "Experiment" else ".errors", __name__), name)
