#!/usr/bin/python
# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: make an experiment of a topology."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: containerize
short_description: Create an experiment from a topology
version_added: 0.1.0
description:
  - Reads a topology, gives every node a container kind, a partition and addresses, and writes the experiment's directory below
    E(BENITO_HOME), whole or not at all. The experiment is then C(swapped), that is, ready to be swapped in.
  - Everything that is wrong with the input is reported at once, each with file, line and element; then nothing is created.
  - An experiment that exists is refused and left untouched.
  - Options that have no default here are settings, whose values come from the site's C(site.yml) when they are not given.
author: deter.benito contributors (@deter-project)
extends_documentation_fragment:
  - deter.benito.experiment
  - deter.benito.experiment.home
options:
  eid:
    description: The experiment, a name that is free within the project.
    type: str
    required: true
  topology:
    description:
      - The topology, an NS file if its name ends with C(.tcl) or C(.ns), GraphML if with C(.graphml), a containerlab topology if with C(.clab.yml) or
        C(.clab.yaml), else a TopDL file.
    type: str
    required: true
  packing:
    description: The most vnodes one pnode may carry.
    type: raw
  size:
    description: Into how many parts of equal size each pass is divided, whatever the packing. V(0) for as few as the packing allows.
    type: raw
  nodes_only:
    description: Whether parts are of equal size, at the price of more cut links.
    type: raw
  passes:
    description: What nodes without a PartitionPass are in, one pass for all kinds, V(together), or openvz in one and the others in another, V(original).
    type: raw
  pass_pack:
    description: The packing of single passes, as a dictionary, or like V(0:1,1:20), or a list of such.
    type: raw
  pass_size:
    description: The size of single passes, as a dictionary, or like V(0:1,1:4), or a list of such.
    type: raw
  pass_nodes_only:
    description: Passes whose parts are of equal size, as a list or like V(0,2).
    type: raw
  pnode_types:
    description: Types of machine that may be pnodes, as a list or like V(big,small).
    type: raw
  pass_pnodes:
    description: Types of machine for the pnodes of single passes, as a dictionary of lists, or like V(0:big;1:big,small), or a list of such.
    type: raw
  force_partition:
    description: Whether partitions that the topology's author has chosen are given up for automatic ones.
    type: raw
  default_container:
    description: Container kind of nodes for which the topology names none.
    type: raw
  kind_map:
    description: Container kinds to be realised as others, as a dictionary or like V(openvz=process,qemu=process).
    type: raw
  seed:
    description: Seed of the partitioning. The same input and seed give the same experiment.
    type: raw
  address_base:
    description: IPv4 network in which substrates without addresses get theirs.
    type: raw
  address_profile:
    description:
      - Which subnets substrates without addresses get. V(default) gives /24s in the order of the topology, V(emulab) those of an Emulab site,
        V(hierarchical) the smallest that have room, so ordered that routes are few.
    type: raw
  control_networks:
    description: IPv4 networks that no address or route of the experiment may touch.
    type: raw
  hosts_mode:
    description: Whether hosts files are the same for all nodes, V(shared), or fit each node, V(neighbour).
    type: raw
  vxlan_mode:
    description: How substrates cross between vhosts, V(unicast) or V(multicast).
    type: raw
  multicast_group_base:
    description: First multicast group when O(vxlan_mode=multicast).
    type: raw
  vxlan_port:
    description: UDP port of the tunnels between vhosts.
    type: raw
  node_users:
    description: Accounts on openvz and qemu nodes, a list of dictionaries with C(name) and C(authorized_keys). The first one runs start commands there.
    type: raw
  acceleration:
    description: How QEMU runs virtual machines, V(auto), V(kvm) or V(tcg).
    type: raw
  boot_limit_s:
    description: Seconds that a virtual machine or container may take to boot.
    type: raw
  qemu_start:
    description: How virtual machines come up the first time, V(auto) (as clones of a warm template where that can be), V(warm) (in no other way) or V(cold).
    type: raw
  qemu_reserve_mb:
    description: MiB kept free for each clone of a warm template beside what such a clone was measured to take.
    type: raw
  template_cache_mb:
    description: MiB that the warm templates of a pnode may take on its disk.
    type: raw
  images:
    description: Images that nodes can be made of beside V(debian-12) and V(debian-13), a dictionary of names with C(build), or C(url) or C(path) and C(sha256).
    type: raw
  default_image:
    description: Image of a node that asks for none.
    type: raw
  openvz_template:
    description: Image of openvz nodes that ask for none, a name of the catalogue or of DETER's templates.
    type: raw
  openvz_diskspace:
    description: O(openvz_disk_mb) as the original has it, a number and G or M. A bare number counts blocks of 1 KiB.
    type: raw
  image:
    description:
      - Whether a picture of the topology is drawn, C(visualization.svg) and C(visualization.png).
      - One that cannot be drawn is a warning.
    type: raw
  image_limit_s:
    description: Seconds that drawing it may take.
    type: raw
  no_image:
    description: The opposite of O(image).
    type: raw
  qemu_memory_mb:
    description: Memory of a virtual machine that says nothing of it, MiB.
    type: raw
  qemu_cpus:
    description: Processors of a virtual machine that says nothing of them.
    type: raw
  qemu_disk_mb:
    description: Size of the disks of virtual machines, MiB, V(0) for that of the image.
    type: raw
  openvz_memory_mb:
    description: Most memory of a system container that says nothing of it, MiB, V(0) for no limit.
    type: raw
  openvz_cpus:
    description: Processors of a system container that says nothing of them, V(0) for no limit.
    type: raw
  openvz_disk_mb:
    description: Size of the disk of a system container that says nothing of it, MiB.
    type: raw
  ns_profile:
    description: Rules by which NS files are read, V(default) or V(emulab), which is stricter.
    type: raw
  memory_reserve_mb:
    description: Memory of each pnode that stays for the machine itself, MiB.
    type: raw
  memory_overcommit:
    description: How many times the memory of a pnode is promised to nodes.
    type: raw
  config:
    description: The C(site.conf) of the original, an INI file. What it says wins over the site's settings. What has no meaning here is warned of.
    type: str
  site:
    description: Settings file to use in place of C(site.yml) in O(benito_home).
    type: str
  chdir:
    description: Folder to which relative paths of O(topology), O(site), O(config) and O(benito_home) are relative.
    type: path
requirements:
  - jsonschema, lxml, mtkahypar, networkx and PyYAML for the Python it runs with
  - tclsh (package tcl) for NS files
  - dot, neato, fdp and sfdp (package graphviz) for pictures
attributes:
  check_mode:
    description: Finds every fault of the input, tells what would be created and writes nothing.
    support: full
  diff_mode:
    description: Shows the pnodes with their vnodes, and the files.
    support: full
  idempotent:
    description: An experiment is created once. A second time is an error.
    support: none
"""

EXAMPLES = r"""
- name: Make an experiment with at most four nodes on a pnode
  deter.benito.containerize:
    pid: DeterTest
    eid: example1
    topology: example1.xml
    packing: 4

- name: Make it of processes, whatever the topology asks for
  deter.benito.containerize:
    pid: DeterTest
    eid: sketch
    topology: example1.xml
    kind_map: openvz=process,qemu=process

- name: Pack the nodes of pass 1 closer, those of pass 2 onto large machines
  deter.benito.containerize:
    pid: DeterTest
    eid: example6
    topology: example6.xml
    pass_pack: {1: 20, 2: 10}
    pass_pnodes: 2:MicroCloud,dl380g3
"""

RETURN = r"""
msg:
  description: That it was created, or in check mode could be, where it is, and what to do next.
  returned: success
  type: str
path:
  description: The experiment's directory.
  returned: success
  type: str
pnodes:
  description: The pnodes it needs, each with the list of nodes it carries.
  returned: success
  type: dict
files:
  description: The files of the directory, relative to it.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.deter.benito.plugins.module_utils.errors import BenitoError
from ansible_collections.deter.benito.plugins.module_utils.lifecycle.create import Request, prepare

SETTINGS = (
    "packing",
    "size",
    "nodes_only",
    "passes",
    "pass_pack",
    "pass_size",
    "pass_nodes_only",
    "pnode_types",
    "pass_pnodes",
    "force_partition",
    "default_container",
    "kind_map",
    "seed",
    "address_base",
    "address_profile",
    "control_networks",
    "hosts_mode",
    "vxlan_mode",
    "multicast_group_base",
    "vxlan_port",
    "node_users",
    "acceleration",
    "boot_limit_s",
    "qemu_start",
    "qemu_reserve_mb",
    "template_cache_mb",
    "images",
    "default_image",
    "openvz_template",
    "image",
    "image_limit_s",
    "qemu_memory_mb",
    "qemu_cpus",
    "qemu_disk_mb",
    "openvz_memory_mb",
    "openvz_cpus",
    "openvz_disk_mb",
    "ns_profile",
    "memory_reserve_mb",
    "memory_overcommit",
)
ORIGINAL = ("openvz_diskspace", "no_image")
MOST_WARNINGS = 20


def argument_spec():
    return {
        "pid": {"type": "str", "required": True},
        "eid": {"type": "str", "required": True},
        "topology": {"type": "str", "required": True},
        **{option: {"type": "raw", "no_log": False} for option in (*SETTINGS, *ORIGINAL)},
        "config": {"type": "str"},
        "site": {"type": "str"},
        "benito_home": {"type": "str"},
        "chdir": {"type": "path"},
    }


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    given = module.params
    try:
        creation = prepare(
            Request(
                pid=given["pid"],
                eid=given["eid"],
                topology=given["topology"],
                home=given["benito_home"],
                site=given["site"],
                settings={setting: given[setting] for setting in SETTINGS},
                chdir=given["chdir"] or "",
                config=given["config"],
                original={option: given[option] for option in ORIGINAL},
            )
        )
        if not module.check_mode:
            creation.write()
    except BenitoError as exc:
        module.fail_json(msg=str(exc))
    for warning in creation.warnings[:MOST_WARNINGS]:
        module.warn(str(warning))
    if len(creation.warnings) > MOST_WARNINGS:
        module.warn(f"{len(creation.warnings) - MOST_WARNINGS} more warnings stand in the experiment's activity.log")
    module.exit_json(
        changed=True,
        msg=creation.message(would=module.check_mode),
        path=creation.directory.path,
        pnodes={vhost: list(nodes) for vhost, nodes in creation.carried.items()},
        files=sorted(creation.files),
        diff={"before": "", "after": creation.summary()},
    )


if __name__ == "__main__":
    main()
