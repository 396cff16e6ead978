# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a node that has a system of its own (openvz, qemu), as files over that system: name, addresses, keys, users, start command.

The files are the same for both kinds, and whether the node boots from its disk or is a clone. The image needs systemd, a POSIX shell and OpenSSH.
"""

from __future__ import annotations

import hashlib
import shlex

from ...errors import HostError
from ...hostplan import HOST_KEY, HOST_KEY_FILES, HostPlan, VnodePlan
from ..base.environment import start_environment
from ..base.hosts_file import HostsFile
from ..base.paths import ExperimentPaths
from .clone_agent import IS_SET
from .network import GuestFile, addresses, waits
from .resolver import resolv_conf

BOOT_UNIT = "benito-node.service"

BOOT_UNIT_TEXT = """\
[Unit]
Description=Benito node: accounts, report to the vhost, start command
After=network.target ssh.service
Wants=network.target

[Service]
Type=exec
RemainAfterExit=yes
ExecStart=/bin/sh /var/benito/lib/boot
ExecStop=/bin/sh /var/benito/lib/boot stop
KillMode=control-group
TimeoutStopSec=10

[Install]
WantedBy=multi-user.target
"""

# Each program that the script runs takes a tenth of a second under emulation, so the shell does what it can itself.
BOOT_SCRIPT = r"""# Written by deter.benito. Runs at each boot of this node: makes accounts, reports to the vhost, runs the start command.
WAIT
. /var/benito/lib/settings
say() { [ -e "$report" ] && printf '%s\n' "$*" >> "$report"; }
stamp() { date -u +%Y-%m-%dT%H:%M:%SZ; }
if [ "${1:-}" = stop ]; then
    say stopping
    exit 0
fi
# the port may appear after this unit has started
tries=0
while [ ! -e "$report" ] && [ "$tries" -lt 300 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
[ -e "$report" ] || echo "no $report after 30 s: nothing is reported to the vhost" >&2
read -r boot_id < /proc/sys/kernel/random/boot_id
say "booting $boot_id"

# sets home, uid and gid of an account
account() {
    while IFS=: read -r name _x uid gid _comment home _shell; do
        [ "$name" = "$1" ] && return 0
    done < /etc/passwd
    return 1
}
for user in $users; do
    account "$user" || { useradd --create-home --shell /bin/bash "$user"; account "$user"; } || continue
    install -d -o "$uid" -g "$gid" -m 700 "$home/.ssh"
    install -o "$uid" -g "$gid" -m 600 "/var/benito/lib/keys/$user" "$home/.ssh/authorized_keys"
done

# the addresses of /var/benito/lib/addresses, one line each: INTERFACE ADDRESS; IS_SET exists if they are all set
tries=0 missing=
while [ ! -e IS_SET ] && [ "$tries" -lt 600 ]; do
    missing=
    found=$(ip -4 -o address)
    while read -r interface address; do
        case "$found" in *": $interface "*"inet $address/"*) ;; *) missing="$missing $interface" ;; esac
    done < /var/benito/lib/addresses
    [ -z "$missing" ] && break
    tries=$((tries + 1))
    sleep 0.1
done
[ -z "$missing" ] || echo "no address after 60 s on:$missing" >&2
say booted

[ -n "$command" ] || exit 0
[ -d /var/benito/log ] || mkdir -p /var/benito/log
cd /var/benito/log || exit 1
began=$(stamp)
printf 'started %s as %s: %s\n' "$began" "$start_user" "$command" >> start_command.log
say "started $began"
set -a
. /var/benito/lib/environment
set +a
if [ "$start_user" = root ]; then
    (cd /root && exec setsid -w /bin/sh -c "$command") < /dev/null > start_command.out 2> start_command.err
else
    account "$start_user"
    export HOME="$home" USER="$start_user" LOGNAME="$start_user"
    (cd "$home" && exec setsid -w runuser -u "$start_user" -- /bin/sh -c "$command") < /dev/null > start_command.out 2> start_command.err
fi
status=$?
ended=$(stamp)
printf 'ended %s with exit status %s\n' "$ended" "$status" >> start_command.log
say "ended $status $ended"
exit 0
""".replace("IS_SET", IS_SET).replace("WAIT", waits("node"))


def read_guest_files(plan: HostPlan, vnode: VnodePlan, paths: ExperimentPaths, report: str) -> dict[str, GuestFile]:
    """Return ``guest_files`` with this host's name servers and the host key that it keeps for the node. Raises HostError without that key."""
    private, public = (_secret(paths, vnode, name) for name in HOST_KEY_FILES)
    return guest_files(plan, vnode, report, resolv_conf(), (private, public))


def _secret(paths: ExperimentPaths, vnode: VnodePlan, name: str) -> str:
    path = paths.secret(vnode.name, name)
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError as exc:
        raise HostError(f"{vnode.name} has no SSH host key on this host, {path} is missing: the role deter.benito.vhost brings it") from exc


def guest_files(plan: HostPlan, vnode: VnodePlan, report: str, name_servers: str, host_key: tuple[str, str]) -> dict[str, GuestFile]:
    """Return the files that turn an image into this node, {path without the first slash: file}. guest/network.py has those of its network.

    report       the file in the node to which it reports, see report.py: "/dev/virtio-ports/org.benito.report"
    name_servers text of /etc/resolv.conf
    host_key     the private and the public half of its SSH host key, as text
    """
    files = {
        "etc/hostname": GuestFile(vnode.hostname + "\n"),
        "etc/machine-id": GuestFile(machine_id(plan, vnode) + "\n", 0o444),
        "etc/resolv.conf": GuestFile(name_servers),
        "etc/hosts": GuestFile(hosts_text(plan, vnode)),
        f"etc/ssh/{HOST_KEY}": GuestFile(host_key[0], 0o600),
        f"etc/ssh/{HOST_KEY}.pub": GuestFile(host_key[1]),
        "etc/sysctl.d/90-benito.conf": GuestFile(f"net.ipv4.ip_forward = {int(vnode.forwarding)}\n"),
        f"etc/systemd/system/{BOOT_UNIT}": GuestFile(BOOT_UNIT_TEXT),
        f"etc/systemd/system/multi-user.target.wants/{BOOT_UNIT}": GuestFile(target=f"/etc/systemd/system/{BOOT_UNIT}"),
        "root/.ssh/authorized_keys": GuestFile("".join(f"{key}\n" for key in plan.root_keys), 0o600),
        "etc/sudoers.d/benito": GuestFile("".join(f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n" for user in plan.users), 0o440),
        "var/containers": GuestFile(target="/var/benito"),
        "var/benito/pid": GuestFile(plan.pid + "\n"),
        "var/benito/eid": GuestFile(plan.eid + "\n"),
        "var/benito/hosts": GuestFile(target="/etc/hosts"),
        "var/benito/lib/boot": GuestFile(BOOT_SCRIPT, 0o755),
        "var/benito/lib/settings": GuestFile(_settings(plan, vnode, report)),
        "var/benito/lib/addresses": GuestFile("".join(f"{name} {address}\n" for name, address in addresses(vnode))),
        "var/benito/lib/environment": GuestFile(_environment(plan, vnode)),
    }
    for user in plan.users:
        files[f"var/benito/lib/keys/{user.name}"] = GuestFile("".join(f"{key}\n" for key in user.authorized_keys))
    return files


def machine_id(plan: HostPlan, vnode: VnodePlan) -> str:
    """Return the node's /etc/machine-id. It is unique, and the same whenever the node is made again."""
    return hashlib.sha256(f"machine-id\0{plan.experiment}\0{vnode.name}".encode()).hexdigest()[:32]


def start_user(plan: HostPlan) -> str:
    """Return the user that runs start commands in a node with accounts of its own."""
    return plan.users[0].name if plan.users else "root"


def hosts_text(plan: HostPlan, vnode: VnodePlan) -> str:
    """Return the text of the node's /etc/hosts. A node without an address in the experiment still resolves its own name."""
    text = HostsFile(plan.hosts).text(vnode.aliases)
    known = any(vnode.name in entry.names for entry in plan.hosts)
    return text if known else f"{text}127.0.1.1\t{vnode.hostname}\n"


def _settings(plan: HostPlan, vnode: VnodePlan, report: str) -> str:
    names = " ".join(user.name for user in plan.users)
    values = {"report": report, "users": names, "start_user": start_user(plan), "command": vnode.start_command}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _environment(plan: HostPlan, vnode: VnodePlan) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in start_environment(plan, vnode).items())
