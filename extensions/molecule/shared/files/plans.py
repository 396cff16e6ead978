# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the host plans of topology.xml for two pnodes, as a swap-in would.

Arguments: the repository's root, the folder for the plans, and a JSON object:

hosts           {pnode: its address in the experiment network}
pid, eid        the experiment
settings        settings of planning, optional
start_commands  {node: command}, optional
attributes      {node: {name: value}}, which replace those of the topology, optional
mtu             MTU of the experiment network, optional
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys

root, folder, given = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
sys.path.insert(0, str(root / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.embedding.binding.bind import bind  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.embedding.embed import embed  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.embedding.placement.allocation import Allocation, PoolHost  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.embedding.settings import EmbeddingSettings  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.hostplan import to_json  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.topology.model import Attribute, Computer  # noqa: E402  (needs the path above)
from ansible_collections.deter.benito.plugins.module_utils.topology.topdl.reader import read_topdl  # noqa: E402  (needs the path above)


def with_attributes(element):
    """Return the element with the start command and the attributes that the scenario gives it."""
    if not isinstance(element, Computer):
        return element
    wanted = dict(given.get("attributes", {}).get(element.name, {}))
    if element.name in given.get("start_commands", {}):
        wanted["startup"] = given["start_commands"][element.name]
    kept = tuple(attribute for attribute in element.attributes if attribute.name not in wanted)
    return dataclasses.replace(element, attributes=(*kept, *(Attribute(name, value) for name, value in wanted.items())))


topology, _warnings = read_topdl(str(pathlib.Path(__file__).with_name("topology.xml")))
topology = dataclasses.replace(topology, elements=tuple(with_attributes(element) for element in topology.elements))
settings = EmbeddingSettings(default_container="process", **given.get("settings", {}))
embedding = embed(topology, settings)
lent = {machine.vhost: PoolHost(name, "eth1", address, given.get("mtu", 1600))
        for machine, (name, address) in zip(embedding.machines, sorted(given["hosts"].items()))}
folder.mkdir(parents=True, exist_ok=True)
for vhost, plan in bind(given["pid"], given["eid"], embedding.partitioned, Allocation(lent), settings).items():
    (folder / f"{lent[vhost].name}.json").write_text(to_json(plan), encoding="utf-8")
