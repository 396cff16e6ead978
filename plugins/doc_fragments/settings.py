# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings as options of modules, documented from their schema."""

from __future__ import annotations

from ansible_collections.deter.benito.plugins.module_utils.settings.options import documentation, documentation_of


class ModuleDocFragment:
    """All settings; C(.machine_types), those of choosing machines; C(.ns_profile), that of reading NS files, with its default."""

    DOCUMENTATION = documentation()
    MACHINE_TYPES = documentation_of("pnode_types", "pass_pnodes")
    NS_PROFILE = documentation_of("ns_profile", with_default=True)
