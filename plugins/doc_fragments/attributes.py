# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The attributes that most modules of the collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """Check mode and idempotence; C(.diff) for modules that show a difference, C(.no_diff) for those that do not."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Tells what would change.
    support: full
  idempotent:
    description: Changes only what differs.
    support: full
"""

    DIFF = r"""
attributes:
  diff_mode:
    description: Shows what changed, in words.
    support: full
"""

    NO_DIFF = r"""
attributes:
  diff_mode:
    description: Tells it by RV(ignore:changed) only.
    support: none
"""
