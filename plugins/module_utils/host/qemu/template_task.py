# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the module ``warm_templates`` that runs on the host."""

from __future__ import annotations

from .template_making import sweep
from .template_notes import templates_here
from .templates import shrink


def run_task(options: dict) -> dict:
    """Remove templates until the rest take at most "limit_mb", unless that is None. In "check_mode" only report them.

    Return {"changed", "changes": [text], "templates": see templates_here()}.
    """
    changes, limit_mb, check_mode = [], options["limit_mb"], options["check_mode"]
    if limit_mb is not None:
        changes = [*sweep(check_mode), *shrink(limit_mb, check_mode)]
    return {"changed": bool(changes), "changes": changes, "templates": templates_here()}
