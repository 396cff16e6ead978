# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes that most modules of the collection share."""

from __future__ import annotations


class ModuleDocFragment:
    """Check mode and idempotence.

    C(.diff) and C(.no_diff) say whether a difference is shown; C(.read_only) is for modules that change nothing.
    C(.controller) and C(.vhost) say where an action does its work.
    """

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

    READ_ONLY = r"""
attributes:
  check_mode:
    description: Changes nothing, in check mode or not.
    support: full
  diff_mode:
    description: Changes nothing, so there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
"""

    CONTROLLER = r"""
attributes:
  action:
    description: Runs on the controller only, in the process that Ansible has for the task. No module is copied to the host that the task names.
    support: full
  action_group:
    description:
      - Use C(group/deter.benito.experiment) in C(module_defaults) to give O(pid) and O(eid) to all such tasks,
        and C(group/deter.benito.directory) to give them O(benito_home).
    support: full
    membership: [deter.benito.directory, deter.benito.experiment]
  async:
    description: Ends within seconds.
    support: none
  connection:
    description: Opens no connection. The host that the task names does not have to be reachable.
    support: none
  platform:
    description: The controller is Debian 12, Debian 13 or Ubuntu 24.04.
    support: full
    platforms: debian
"""

    VHOST = r"""
attributes:
  action:
    description: An action plugin on the controller has C(benito-host) do the work on the host. No module is copied there.
    support: full
  action_group:
    description: Use C(group/deter.benito.experiment) in C(module_defaults) to give O(pid) and O(eid) to all such tasks.
    support: full
    membership: [deter.benito.experiment]
  async:
    description: Waits for C(benito-host). What takes long shows how far it is.
    support: none
  become:
    description: Needs root on the host.
    support: full
  connection:
    description: Uses the connection of the host that the task names.
    support: full
  platform:
    description: The host is Debian 12, Debian 13 or Ubuntu 24.04.
    support: full
    platforms: debian
"""
