# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings as options of modules, documented from their schema."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.settings.options import documentation, documentation_of


class ModuleDocFragment:
    """All settings; C(.machine_types), those of choosing machines; C(.ns_profile), that of reading NS files, with its default."""

    # annotated, because the yamllint of ansible-test takes a plain assignment for literal text
    DOCUMENTATION: str = documentation()
    MACHINE_TYPES: str = documentation_of("pnode_types", "pass_pnodes")
    NS_PROFILE: str = documentation_of("ns_profile", with_default=True)
