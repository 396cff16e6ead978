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
  - All process vnodes of a vhost share one SSH session, also between runs, which ends a minute after the last task. So C(MaxSessions) and C(MaxStartups) of the
    vhost's SSH service do not limit how many vnodes Ansible's C(forks) may reach at a time. It needs C(AllowStreamLocalForwarding), which is SSH's default.
  - Where that session cannot be had, each task has an SSH session of its own, at most eight at a time on a vhost. This is so with a C(become) password,
    and where forwarding is forbidden.
  - With a C(vhost_connection) other than C(ssh), with passwords handed over by C(sshpass), and with a C(control_path_dir) that others can write, each task
    has a session of its own and nothing limits their number. Use few C(forks) then.
  - A command in the shared session has no terminal. If the task is ended, by its C(timeout) or with Ansible, the command is killed in the vnode.
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
    description: The password with which the user on the vhost becomes root, in place of that in O(vhost_become_variables). Without either, it is that of C(-K).
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

import contextlib
import os
import random
import shlex
import time
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display
from ansible.utils.path import makedirs_safe, unfrackpath
from ansible_collections.deter.benito.plugins.module_utils.clean_text import clean_line, clean_text
from ansible_collections.deter.benito.plugins.plugin_utils.becoming_root import missing_password, vhost_become
from ansible_collections.deter.benito.plugins.plugin_utils.shared_session import NoSessionError, NotEnteredError, SessionEndedError, SharedSession

if TYPE_CHECKING:
    from ansible.playbook.play_context import PlayContext

display = Display()

# the beginning of benito-host's error messages
_ERROR_PREFIX = b"benito-host: "
# SSH's messages about a vhost that lets no further connection or session begin
_TOO_MANY = ("kex_exchange_identification", "Connection reset by peer", "Session open refused by peer", "open failed: connect failed")
_RETRY_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_LAST_OPTIONS = ("-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=10")  # where the user has no others: a vhost that dies ends the session


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
            password = self.get_option("vhost_become_password")
            self._vhost_become = vhost_become(self.get_option("vhost_become_variables"), password, self._play_context.become_pass)
            with contextlib.suppress(KeyError):  # the plugin local would give a prompt a terminal, which then takes a module for input
                self._vhost.set_option("pipelining", self.get_option("pipelining"))

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
        session = self._session()
        if session is None:
            return self._run_alone(cmd, in_data, sudoable)
        needs_password = sudoable and self.become and self.become.expect_prompt()
        if not needs_password and self._enters_without_password():
            try:
                return self._run_shared(session, cmd, in_data or b"", sudoable)
            except NoSessionError as exc:
                display.vvv(f"no shared session to the vhost: {clean_line(str(exc))}", host=self.get_option("node"))
        return self._run_alone_bounded(session, cmd, in_data, sudoable)

    def _vhost_has_ssh(self) -> bool:
        """Return whether the vhost's connection plugin is Ansible's SSH. Its class differs between the names ``ssh`` and ``ansible.builtin.ssh``."""
        return bool(getattr(self._vhost, "transport", "") == "ssh")

    def _session(self) -> SharedSession | None:
        """Return the session that the vhost's vnodes share, None if its connection plugin is not SSH or uses sshpass."""
        if not self._vhost_has_ssh():
            return None
        password = self._vhost.get_option("password") or self._play_context.password
        if self._vhost.get_option("password_mechanism") == "sshpass" and (password or self._vhost.get_option("pkcs11_provider")):
            return None
        folder = unfrackpath(self._vhost.get_option("control_path_dir"))
        makedirs_safe(folder, 0o700)
        found = os.stat(folder)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return None
        self._vhost.host = self._vhost.get_option("host") or self._play_context.remote_addr
        return SharedSession(folder, self._ssh_command, float(self._vhost.get_option("timeout")))

    def enter_command(self, first: list[str], arguments: list[str]) -> list[bytes]:
        """Return argv of an SSH client with the options ``first`` that enters the vnode, with a terminal of its own. Raises AnsibleError.

        arguments  of ``benito-host enter`` after the vnode
        """
        self._connect()
        if not self._vhost_has_ssh():
            raise AnsibleConnectionFailure(f"vnode {self.get_option('node')} is not reached by SSH, so nobody can log in")
        if not self._enters_without_password():
            raise AnsibleConnectionFailure(f"becoming root on the vhost of {self.get_option('node')} takes a password, which a login cannot give")
        self._vhost.host = self.get_option("host")
        if self._vhost.get_option("password"):
            self._vhost.exec_command("true", sudoable=False)  # opens the connection that the login shares
            self._vhost.set_option("password_mechanism", "disable")
        return self._ssh_command(first, [self.get_option("node"), *arguments])

    def _ssh_command(self, first: list[str], arguments: list[str]) -> list[bytes]:
        """Return argv of an SSH client that runs ``benito-host enter``. SSH takes the first value of each option."""
        sudo = ["sudo", "-n"] if self._vhost_become else []
        far = shlex.join([*sudo, *self._far_command(*arguments)])
        client, *options = self._vhost._build_command(self._vhost.get_option("ssh_executable"), "ssh", *_LAST_OPTIONS, self._vhost.host, far)
        return [client, *map(to_bytes, first), *options]

    def _run_shared(self, session: SharedSession, cmd: str, given: bytes, sudoable: bool) -> tuple[int, bytes, bytes]:
        """Run ``cmd`` through the shared session. Raises NoSessionError when there is none."""
        try:
            status, out, error = session.run(self.get_option("node"), ["/bin/sh", "-c", cmd], given)
        except NotEnteredError as exc:
            raise self._not_entered(f"benito-host: {exc}") from exc
        except SessionEndedError as exc:
            raise AnsibleConnectionFailure(f"vnode {self.get_option('node')}: {exc}") from exc
        if sudoable and self.become:
            if status and self.become.check_missing_password(out + error):
                raise AnsibleError(f"Missing {self.become.name} password")
            out = self.become.strip_become_success(out)
        return status, out, error

    def _run_alone_bounded(self, session: SharedSession, cmd: str, in_data: bytes | None, sudoable: bool) -> tuple[int, bytes, bytes]:
        """Run ``cmd`` in an SSH session of its own, one of a few at a time. Try again if the vhost has too many connections to let it begin."""
        with session.slot():
            for pause_s in _RETRY_PAUSES_S:
                try:
                    return self._run_alone(cmd, in_data, sudoable)
                except AnsibleConnectionFailure as exc:
                    if not any(text in str(exc) for text in _TOO_MANY):
                        raise
                    display.vvv(f"the vhost has too many connections, trying again: {clean_line(str(exc))}", host=self.get_option("node"))
                time.sleep(random.uniform(pause_s / 2, pause_s))
            return self._run_alone(cmd, in_data, sudoable)

    def _run_alone(self, cmd: str, in_data: bytes | None, sudoable: bool) -> tuple[int, bytes, bytes]:
        """Run ``cmd`` in a session of its own of the vhost's connection."""
        far = shlex.join(self._far_command(self.get_option("node"), "--", "/bin/sh", "-c", cmd))
        status, out, error = self._exec_as_root(far, in_data, sudoable)
        message = next((text for text in map(to_bytes, (error, out)) if text.startswith(_ERROR_PREFIX)), b"")  # with a terminal it is in the output
        if status and message:
            raise self._not_entered(to_text(message.splitlines()[0]))
        return status, out, error

    def _enters_without_password(self) -> bool:
        """Return whether ``sudo -n`` is all that it takes to become root on the vhost, if anything. A session cannot answer a prompt."""
        root = self._vhost_become
        return root is None or (root.name == "sudo" and not root.get_option("become_pass"))

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
            raise self._not_entered(f"{host}: {wanted}") from None  # it says all
        return status, root.strip_become_success(out) if root.check_success(out) else out, error

    def _not_entered(self, message: str) -> AnsibleConnectionFailure:
        return AnsibleConnectionFailure(f"vnode {self.get_option('node')} cannot be entered: {clean_line(message)}")

    def _far_command(self, *arguments: str) -> list[str]:
        """Return the command that runs ``benito-host enter`` with these arguments, for root on the vhost."""
        return [self.get_option("benito_host"), "enter", "-e", self.get_option("experiment"), *arguments]

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
            session = self._session()
            if session is not None:
                session.reset()
            self._vhost.reset()
        self._connected = False

    def close(self) -> None:
        if self._vhost is not None:
            self._vhost.close()
        self._connected = False
