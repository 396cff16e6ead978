# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record and compare the state of a machine, to prove that nothing leaks.

``snapshot()`` records this machine. ``python3 - < machine_state.py`` records any machine: it prints JSON, and needs only Python 3.9.
``difference(before, after)`` lists what is new, gone or changed. EXEMPT and docs/leaks.md list what is left out, each with its reason.
Files of newly installed distribution packages, and what their installation registers, are left out too (PACKAGING).

A snapshot is {category: {item: description}}.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys

# folder -> how many levels of it are compared
FOLDERS = {
    "/etc": 9, "/home": 2, "/opt": 2, "/root": 2, "/run": 9, "/srv": 9, "/tmp": 1, "/usr/local": 4,
    "/var/benito": 9, "/var/lib": 4, "/var/spool": 9, "/var/tmp": 1,
}
SMALL = 64 << 10
"""Bytes. Larger files are compared by size and time, smaller ones by content."""

# (category, pattern of the item, reason)
EXEMPT = (
    ("files", r"/var/lib/(dpkg|apt|systemd|pam|ucf|python|dbus|private|nfs|sudo)(/.*)?", "records of the package manager and systemd"),
    ("files", r"/etc/(ld\.so\.cache|\.pwd\.lock|\.updated|mtab|adjtime|machine-id)", "caches of the distribution"),
    ("files", r"/root/\.(cache|ansible)(/.*)?", "Ansible's folder for what it copies, empty between plays"),
    ("files", r"/run/(systemd|log|user|udev|dbus|sudo|lock|initctl|blkid|mount|needrestart|shm|tmpfiles\.d)(/.*)?",
     "systemd's records of units, which are compared as units"),
    ("files", r"/run/(utmp|motd(\.d.*)?|.*\.pid|sshd(\.pid)?|agetty\.reload|credentials(/.*)?|ssh-unix-local(/.*)?)", "records of logins and daemons"),
    ("files", r"/tmp/(systemd-private-|benito-test-|pytest-|ansible-test-|\.X|\.ICE|\.XIM|\.font).*", "private folders of services and of this test"),
    ("files", r"/(var/tmp|run)/systemd-private-.*", "private folders of services"),
    ("processes", r"(/\S*/)?(sshd|ssh|sftp-server|scp|ansible|ansible-playbook|agetty|sudo)(:.*)?( .*)?",
     "connections of Ansible and of this test"),
    ("processes", r"(\(sd-pam\)|/(usr/)?lib/systemd/.*|/usr/bin/dbus-daemon .*)", "systemd's helpers start and stop by themselves; units are compared instead"),
    ("units", r"(session-.*\.scope|user@.*|user-.*|user-runtime-dir@.*|run-.*\.scope|ssh@.*)", "login sessions"),
    ("units", r"systemd-(hostnamed|timedated|localed|tmpfiles|update|ask|fsck|journal|random|machine|pcr|boot|firstboot|sysusers|quotacheck).*",
     "what systemd starts by itself"),
    ("units", r"(apt-|dpkg-|e2scrub|logrotate|man-db|motd|polkit|fstrim|modprobe@|getty).*", "what systemd's timers start by themselves"),
    ("cgroups", r".*/(user\.slice|init\.scope|system-(getty|modprobe|ssh).*)(/.*)?", "login sessions and systemd's own services"),
    ("cgroups", r".*/system\.slice/(systemd-|apt-|dpkg-|dbus|session-|run-|logrotate|man-db|e2scrub|fstrim).*", "login sessions and systemd's own services"),
    ("sysctls", r"fs\.(aio-nr|dentry-state|file-nr|inode-nr|inode-state|quota\..*)", "counters"),
    ("sysctls", r"kernel\.(ns_last_pid|pty\.nr|random\..*|tainted)", "counters and the kernel's own"),
    ("sysctls", r"net\.(netfilter\.nf_conntrack_count|ipv4\.tcp_fastopen_key|ipv6\..*\.stable_secret|ipv4\.route\.flush|ipv6\.route\.flush)",
     "counters and secrets"),
    ("mounts", r"(/run/user/.*|/run/credentials/.*|/proc/sys/fs/binfmt_misc.*|/sys/kernel/.*|/dev/(hugepages|mqueue).*)",
     "login sessions and mounts made on first use"),
    ("links", r"docker.*|veth[0-9a-f]{7}", "another program's"),
)

# what installing packages changes beside their own files
PACKAGING = (
    ("files", r"/etc/(passwd|group|shadow|gshadow|subuid|subgid|services|shells)-?"),
    ("files", r"/etc/(alternatives|rc[0-6S]\.d|systemd/system/.*\.(wants|requires)|ssl/certs|apparmor\.d|ca-certificates)(/.*)?"),
    ("files", r"/run/(adduser|dnsmasq)"),
)


# a machine on which people work and other programs run, as a third argument of difference(); what the product makes carries a name of its own
SHARED_MACHINE = (
    ("cgroups", r"(?!.*(benito|lxc)).*", "other programs'"),
    ("units", r"(?!.*(benito|lxc)).*", "other programs'"),
    ("processes", r"(?!.*(benito|lxc|qemu|ansible)).*", "other programs': a machine below a testbed has a process lxc-start or qemu"),
    ("links", r"br-[0-9a-f]{12}", "Docker's networks"),
    ("mounts", r"/(var/lib|run|snap)/(docker|containerd|snapd|user)/.*|/(media|snap)/.*", "containers of other programs, and desktops"),
    ("files", r"/tmp/(?!benito|deter).*", "other programs'"),
    ("files", r"/home/.+", "people's"),
    ("files", r"/root/\.([^/]*(history|viminfo|lesshst|wget-hsts|Xauthority)|(benito|cache|local|config)(/.*)?)", "people's, and other tests'"),
    ("files", r"/var/lib/libuuid/clock\.txt", "the clock of uuidgen and uuidd, written at each use"),
    ("files", r"/(etc|run|opt|var/lib|var/spool)/(docker|containerd|snapd|NetworkManager|network|dhcp|dhcpcd|ModemManager|avahi-daemon|chrony|cups(-browsed)?|"
     r"colord|bluetooth|cron|anacron|at|postfix|exim4|gdm3?|lightdm|fwupd|upower|udisks2|PackageKit|AccountsService|ufw|firewalld|fail2ban|logrotate|plocate|"
     r"rsyslog|samba|speech-dispatcher|usbmux|alsa|power-profiles-daemon|rtkit|geoclue|flatpak|apport|ubuntu-advantage|update-notifier)(/.*|\.sock)?",
     "daemons of servers and desktops, which write by themselves"),
    ("files", r"/(etc|run)/(resolv\.conf|cups/subscriptions\.conf.*|printcap|reboot-required.*|xtables\.lock)", "the same"),
)


def snapshot():
    """Return the state of this machine: everything that is compared."""
    owned = _owned()
    return {
        "links": _links(), "addresses": _addresses(), "routes": _routes(), "namespaces": _lines("ip", "netns", "list"), "mounts": _mounts(),
        "processes": _processes(), "units": _units(owned), "unit files": _unit_files(owned), "cgroups": _cgroups(), "sysctls": _sysctls(),
        "firewall": _firewall(), "files": _files(owned), "packages": _packages(),
    }


def difference(before, after, exempt=()):
    """Return the differences, one line each. The list is empty if nothing leaked.

    exempt  further (category, pattern, reason) that this comparison leaves out
    """
    rules = [(category, re.compile(pattern)) for category, pattern, *unused in (*EXEMPT, *exempt)]
    installed = {name for name, version in after["packages"].items() if before["packages"].get(name) != version}
    if installed:
        rules += [(category, re.compile(pattern)) for category, pattern in PACKAGING]
    lines = []
    for category in before:
        if category == "packages":
            continue
        old, new = before[category], after[category]
        for item in sorted(set(old) | set(new)):
            if old.get(item) == new.get(item) or any(kind == category and rule.fullmatch(item) for kind, rule in rules):
                continue
            if category in ("files", "units", "unit files") and _owner(new.get(item)) in installed:
                continue
            lines.append(f"{category}: {item}: {_change(old.get(item), new.get(item))}")
    return lines


def _owner(description):
    """Return the package that an item belongs to, if its description begins with one."""
    words = (description or "").split()
    return words[1] if words[:1] == ["package"] else None


def _change(old, new):
    if old is None:
        return f"is new: {new}"
    if new is None:
        return f"is gone, was: {old}"
    return f"was: {old}, is: {new}"


def _output(*command):
    """Return the output of ``command``, or "" if the machine has no such command.

    Raises RuntimeError if the command fails: an empty answer would pass for an empty machine. systemctl gets minutes, not its usual 25 s,
    because an emulated machine can need them.
    """
    try:
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "SYSTEMD_BUS_TIMEOUT": "300"})
    except OSError:
        return ""
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def _lines(*command):
    return {line: "" for line in _output(*command).splitlines()}


def _links():
    links = {}
    for link in json.loads(_output("ip", "-json", "-details", "link") or "[]"):
        kind = link.get("linkinfo", {}).get("info_kind", "")
        links[link["ifname"]] = " ".join(str(part) for part in (
            kind, "mtu", link.get("mtu"), "address", link.get("address"), "master", link.get("master", "-"), "alias", link.get("ifalias", "-"),
            "UP" if "UP" in link.get("flags", ()) else "DOWN"))
    return links


def _addresses():
    return {f"{link['ifname']} {address['local']}/{address['prefixlen']}": address.get("label", "")
            for link in json.loads(_output("ip", "-json", "address") or "[]") for address in link.get("addr_info", ())}


def _routes():
    volatile = re.compile(r" (expires|cache|age|users|used) \S+")
    lines = [volatile.sub("", line).strip() for family in ("-4", "-6") for line in _output("ip", family, "route", "show", "table", "all").splitlines()]
    return {**dict.fromkeys(lines, ""), **_lines("ip", "-4", "rule"), **_lines("ip", "-6", "rule")}


def _counted(items):
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return {item: f"{count} of it" for item, count in counts.items()}


def _mounts():
    items = []
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            fields, unused, rest = line.partition(" - ")
            items.append(f"{fields.split()[4]} {rest.split()[0]}")
    return _counted(items)


def _processes():
    """Return the command lines of all processes, except kernel threads, this process, its ancestors, and other suites of this run (scripts/test.py)."""
    mine, pid = set(), os.getpid()
    while pid:
        mine.add(pid)
        pid = _parent(pid)
    commands = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in mine:
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    command = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if command and not _of_another_suite(int(name), mine):
                commands.append(command)
    return _counted(commands)


def _of_another_suite(pid, mine):
    """Return whether a process descends from scripts/test.py (its process id is BENITO_SUITES) through another suite than this one."""
    runner = int(os.environ.get("BENITO_SUITES", "0"))
    while pid and pid not in mine:
        pid = _parent(pid)
    return bool(pid) and pid == runner


def _parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _units(owned):
    """Return the units that are not inactive, with their states. Mount units are left out because mounts are compared, device units because we make none."""
    units = {}
    if not os.path.isdir("/run/systemd/system"):
        return units  # systemd does not run here
    for line in _output("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service,socket,timer,path,slice,scope,target").splitlines():
        name, unused, active, *unused_rest = line.split()
        if active != "inactive":
            units[name] = _unit_owner(name, owned) + active
    return units


def _unit_files(owned):
    lines = (line.split() for line in _output("systemctl", "list-unit-files", "--plain", "--no-legend").splitlines() if line.strip())
    return {name: _unit_owner(name, owned) + state for name, state, *unused in lines}


def _unit_owner(name, owned):
    paths = (f"{folder}/systemd/system/{name}" for folder in ("/lib", "/usr/lib"))
    return next((f"package {owned[path]} " for path in paths if path in owned), "")


def _cgroups():
    return {path: "" for path, unused, unused_files in os.walk("/sys/fs/cgroup")}


def _sysctls():
    values = {}
    for folder, _folders, names in os.walk("/proc/sys"):
        for name in names:
            path = os.path.join(folder, name)
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    values[path[len("/proc/sys/"):].replace("/", ".")] = " ".join(file.read().split())
            except OSError:
                continue  # write-only, or not permitted
    return values


def _firewall():
    """Return every rule with its table and chain. Sets are listed too."""
    rules, where = [], []
    for line in _output("nft", "--stateless", "list", "ruleset").splitlines():
        text = line.strip()
        if text == "}":
            where.pop()
        else:
            rules.append(" / ".join([*where, text.rstrip(" {")]))
            if text.endswith("{"):
                where.append(text.rstrip(" {"))
    return _counted(rules)


def _packages():
    return dict(line.split("\t") for line in _output("dpkg-query", "-W", "-f", "${Package}\t${Version}\n").splitlines())


def _owned():
    """Return {path: package} of all paths that belong to a package."""
    owned = {}
    folder = "/var/lib/dpkg/info"
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if name.endswith(".list"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                owned.update(dict.fromkeys(file.read().splitlines(), name[:-len(".list")].split(":")[0]))
    return owned


def _files(owned):
    """Return the files below FOLDERS, but not those of file systems mounted there: they are compared as mounts."""
    files = {}
    exempt = re.compile("|".join(f"(?:{pattern})" for category, pattern, unused in EXEMPT if category == "files"))

    def walk(folder, levels, device):
        try:
            names = os.listdir(folder)
        except OSError:
            return
        for name in names:
            path = os.path.join(folder, name)
            if exempt.fullmatch(path):
                continue
            description = _file(path)
            if description:
                files[path] = (f"package {owned[path]} " if path in owned else "") + description
            if levels > 1 and description.startswith("d") and _device(path) == device:
                walk(path, levels - 1, device)

    for top, levels in FOLDERS.items():
        walk(top, levels, _device(top))
    return files


def _device(path):
    try:
        return os.lstat(path).st_dev
    except OSError:
        return None


def _file(path):
    """Describe a file: kind, mode, owner and content. The times of a small file are left out."""
    try:
        status = os.lstat(path)
        text = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
        if stat.S_ISLNK(status.st_mode):
            return f"{text} -> {os.readlink(path)}"
        if stat.S_ISREG(status.st_mode) and status.st_size > SMALL:
            return f"{text} {status.st_size} bytes of {int(status.st_mtime)}"
        if stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                return f"{text} {status.st_size} bytes {hashlib.sha256(file.read()).hexdigest()[:12]}"
        return text
    except OSError:
        return ""  # it was removed in the meantime


if __name__ == "__main__":
    json.dump(snapshot(), sys.stdout)
