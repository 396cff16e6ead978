# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of a plan beside another one, as after a reboot of the vhost in the middle of a swap-in."""

from __future__ import annotations

import pytest
from ansible_collections.deter.benito.plugins.module_utils.errors import HostError
from ansible_collections.deter.benito.plugins.module_utils.host.base.locks import experiment_lock
from ansible_collections.deter.benito.plugins.module_utils.host.base.paths import ExperimentPaths
from ansible_collections.deter.benito.plugins.module_utils.host.run.apply import apply
from ansible_collections.deter.benito.tests.unit.host.plans import plan
from ansible_collections.deter.benito.tests.unit.host.sandbox import install_plan, sandboxed


@sandboxed
def test_it_waits_for_another_one_a_minute_longer_than_a_node_may_take_to_boot():
    install_plan(plan(boot_limit_s=-58))  # which no setting allows, but is over soon
    with experiment_lock(ExperimentPaths("Proj.exp")), pytest.raises(HostError, match=r"another benito-host has been changing Proj\.exp on this host for 2 s"):
        apply(ExperimentPaths("Proj.exp"), ("network",))
