# Copyright: deter.benito contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks inside process vnodes: the vhost's own connection, and ``benito-host enter`` at its far end."""

from __future__ import annotations

DOCUMENTATION = r"""
name: process
author: deter.benito contributors (@deter-project)
short_description: Run tasks inside the process vnodes of an experiment
version_added: 0.1.0
description:
  - Connects to the vhost that carries the vnode, by the connection plugin O(vhost_connection), and runs everything there through
    C(benito-host enter), which enters the vnode. Tasks run as root in the vnode.
  - The inventory plugin P(deter.benito.topdl#inventory) sets all that it needs for an experiment that is swapped in.
  - Files are copied through the vnode itself, so that C(/var/benito) and C(/etc/hosts) are the vnode's own. All other files are
    those of the vhost, shared with every other process vnode on it.
  - Every option of P(ansible.builtin.ssh#connection) that is set by a variable C(ansible_ssh_*) or by the configuration applies to the connection to the vhost.
notes:
  - The tasks of several vnodes of one vhost share one SSH connection. SSH opens further ones by itself when the vhost's C(MaxSessions) is reached.
options:
  host:
    description: Address of the vhost.
    type: string
    vars:
      - name: ansible_host
      - name: ansible_ssh_host
      - name: delegated_vars['ansible_host']
      - name: delegated_vars['ansible_ssh_host']
  port:
    description: Port of the vhost's SSH service.
    type: int
    vars:
      - name: ansible_port
  remote_user:
    description: User to log in to the vhost as.
    type: string
    vars:
      - name: ansible_user
  password:
    description: Password to log in to the vhost with.
    type: string
    vars:
      - name: ansible_password
  private_key_file:
    description: File with the private key to log in to the vhost with.
    type: string
    vars:
      - name: ansible_private_key_file
  host_key_checking:
    description: Whether the vhost's host key has to be known.
    type: boolean
    vars:
      - name: ansible_host_key_checking
  control_path:
    description: Path of the shared SSH connection's socket.
    type: string
    vars:
      - name: ansible_control_path
  control_path_dir:
    description: Directory of the shared SSH connection's socket.
    type: string
    vars:
      - name: ansible_control_path_dir
  pipelining:
    description: Whether modules are sent through the connection instead of being copied first.
    type: boolean
    default: true
    vars:
      - name: ansible_pipelining
      - name: ansible_ssh_pipelining
  vhost_connection:
    description: The connection plugin that reaches the vhost.
    type: string
    default: ansible.builtin.ssh
    vars:
      - name: benito_vhost_connection
  vhost_become:
    description: Whether the user on the vhost becomes root to enter the vnode.
    type: boolean
    default: false
    vars:
      - name: benito_vhost_become
  vhost_become_variables:
    description:
      - How the user on the vhost becomes root, C(ansible_become_method), C(ansible_become_password) and others of the become plugin.
      - The inventory plugin P(deter.benito.topdl#inventory) takes them from the machine of the pool.
    type: dict
    default: {}
    vars:
      - name: benito_vhost_become_variables
  vhost_become_password:
    description: The password with which the user on the vhost becomes root, in place of that in O(vhost_become_variables). Default is that of C(-K).
    type: string
    vars:
      - name: ansible_become_pass
      - name: ansible_become_password
  node:
    description: The vnode's name in its topology.
    type: string
    vars:
      - name: benito_node
  experiment:
    description: The experiment, as C(pid.eid).
    type: string
    vars:
      - name: benito_experiment
  benito_host:
    description: The program C(benito-host) on the vhost.
    type: string
    default: /usr/local/sbin/benito-host
    vars:
      - name: benito_host_program
"""

import os
import shlex
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line, clean_text
from ansible_collections.deter.benito.plugins.plugin_utils.becoming_root import missing_password, vhost_become

if TYPE_CHECKING:
    from ansible.playbook.play_context import PlayContext

display = Display()

# the beginning of benito-host's error messages
_ERROR_PREFIX = b"benito-host: "


class Connection(ConnectionBase):
    """A connection that runs every command through ``benito-host enter``, over the vhost's connection."""

    transport = "deter.benito.process"
    has_pipelining = True
    allow_extras = True
    extras_prefix = "ssh"
    _connected = False

    def __init__(self, play_context: PlayContext, *args: Any, **kwargs: Any) -> None:
        super().__init__(play_context, *args, **kwargs)
        self._arguments = kwargs
        self._vhost: Any = None  # a ConnectionBase, of which ansible-core has no types
        self._vhost_become: Any = None  # a BecomeBase, None where root logs in to the vhost

    def set_options(self, task_keys: dict | None = None, var_options: dict | None = None, direct: dict | None = None) -> None:
        """Set the options, and pass the vhost's connection its own."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._vhost = connection_loader.get(self.get_option("vhost_connection"), self._play_context, **self._arguments)
        if self._vhost is None:
            raise AnsibleConnectionFailure(f"there is no connection plugin {self.get_option('vhost_connection')} for the vhost")
        variables = dict(var_options or {})
        variables.update(variables.pop("_extras", {}))
        self._vhost.set_options(task_keys=task_keys, var_options=variables)
        if self.get_option("vhost_become"):
            password = self.get_option("vhost_become_password") or self._play_context.become_pass
            self._vhost_become = vhost_become(self.get_option("vhost_become_variables"), password)

    def set_become_plugin(self, plugin: Any) -> None:
        super().set_become_plugin(plugin)
        if self._vhost and not self._vhost_become:
            self._vhost.set_become_plugin(plugin)

    def _connect(self) -> Connection:
        if not self._connected:
            missing = [name for name in ("node", "experiment") if not self.get_option(name)]
            if missing or not (self.get_option("host") or self.get_option("vhost_connection").endswith("local")):
                name = self.get_option("node") or self._play_context.remote_addr
                raise AnsibleConnectionFailure(f"vnode {name} has no vhost: its experiment is not swapped in")
            self._vhost.become = self._vhost_become or self.become
            self._vhost._connect()
            self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run ``cmd`` in the shell of the vnode. Return (exit status, standard output, standard error)."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        self._connect()
        status, out, error = self._exec_as_root(self._entering(cmd), in_data, sudoable)
        message = next((text for text in map(to_bytes, (error, out)) if text.startswith(_ERROR_PREFIX)), b"")  # with a terminal it is in the output
        if status and message:
            raise AnsibleConnectionFailure(f"vnode {self.get_option('node')} cannot be entered: {clean_line(to_text(message.splitlines()[0]))}")
        return status, out, error

    def _exec_as_root(self, cmd: str, in_data: bytes | None, sudoable: bool) -> tuple[int, bytes, bytes]:
        """Run ``cmd`` on the vhost as root. The become plugin of the vhost prefixes it, and the vhost's connection answers for the password."""
        root = self._vhost_become
        if root is None:
            return self._vhost.exec_command(cmd, in_data=in_data, sudoable=sudoable)
        try:
            status, out, error = self._vhost.exec_command(root.build_become_command(cmd, self._vhost._shell), in_data=in_data, sudoable=True)
        except AnsibleError as exc:
            wanted = missing_password(exc)
            if not wanted:
                raise
            host = self.get_option("host") or "its vhost"
            raise AnsibleConnectionFailure(f"vnode {self.get_option('node')} cannot be entered: {host}: {wanted}") from None  # it says all
        return status, root.strip_become_success(out) if root.check_success(out) else out, error

    def _entering(self, cmd: str) -> str:
        enter = [self.get_option("benito_host"), "enter", "-e", self.get_option("experiment"), self.get_option("node"), "--"]
        return shlex.join([*enter, "/bin/sh", "-c", cmd])

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a local file into the vnode."""
        super().put_file(in_path, out_path)
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.get_option("node"))
        if not os.path.exists(in_path):
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}")
        with open(in_path, "rb") as handle:
            content = handle.read()
        source = "cat" if content else ":"  # without data, ssh's standard input would be a terminal, which has no end
        self._copy(f"{source} > {shlex.quote(out_path)}", content or None, f"put {out_path} into")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the vnode to a local path."""
        super().fetch_file(in_path, out_path)
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.get_option("node"))
        content = self._copy(f"cat < {shlex.quote(in_path)}", None, f"fetch {in_path} from")
        with open(out_path, "wb") as handle:
            handle.write(content)

    def _copy(self, cmd: str, content: bytes | None, what: str) -> bytes:
        status, out, error = self.exec_command(cmd, in_data=content, sudoable=False)
        if status:
            raise AnsibleConnectionFailure(f"could not {what} vnode {self.get_option('node')}: {clean_text(to_text(error)).strip()}")
        return to_bytes(out)

    def reset(self) -> None:
        """Close the connection that is shared with later tasks."""
        if self._vhost is not None:
            self._vhost.reset()
        self._connected = False

    def close(self) -> None:
        if self._vhost is not None:
            self._vhost.close()
        self._connected = False
