# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a QEMU may do on its host, beside the filter of system calls that it installs itself.

A guest that takes over its QEMU must not reach the host's networks. A QEMU has its taps open and needs no other socket than those of its
folder. systemd confines the QEMU of a node. The QEMU that makes a template runs in no unit of its own, and confines itself before it starts.
"""

from __future__ import annotations

import ctypes
import os
import struct

from ..base import syscalls

# io_uring would open sockets past RestrictAddressFamilies. QEMU needs the call seccomp for its own filter. Programs that listen on the sockets of
# InaccessiblePaths would look up names for it. TCG writes the code that it executes, so MemoryDenyWriteExecute is not possible.
UNIT = """\
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_SETUID CAP_SETGID
RestrictAddressFamilies=AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service seccomp
SystemCallFilter=~@keyring io_uring_setup io_uring_enter io_uring_register
SystemCallErrorNumber=EPERM
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
ProtectSystem=strict
ReadWritePaths={writable}
InaccessiblePaths=-/run/dbus -/run/systemd/resolve -/run/systemd/userdb -/run/nscd
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectProc=invisible
DevicePolicy=closed
DeviceAllow=/dev/kvm rw
DeviceAllow=/dev/net/tun rw
LimitCORE=0
UMask=0077
"""

_UNIX, _EPERM, _EAFNOSUPPORT = 1, 1, 97
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of BPF
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data
_IO_URING_SETUP = 425
_OTHER_ABI = 0x40000000  # x32, which has the architecture of x86_64
_MACHINES = {"x86_64": (0xC000003E, 41, 53), "aarch64": (0xC00000B7, 198, 199), "riscv64": (0xC00000F3, 198, 199)}  # audit number, socket, socketpair


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def confine_template() -> None:
    """Leave the calling process and its children no sockets but those of Unix. Call it between fork and exec. Raises OSError.

    On a machine of an architecture that is not listed, only gaining privileges is prevented.
    """
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    code = socket_filter(os.uname().machine)
    if code:
        program = _Program(len(code) // 8, code)
        syscalls.prctl(syscalls.PR_SET_SECCOMP, syscalls.SECCOMP_MODE_FILTER, ctypes.addressof(program))


def socket_filter(machine: str) -> bytes:
    """Return the filter as a program of BPF, or b"" for an architecture that is not listed."""
    if machine not in _MACHINES:
        return b""
    architecture, create, create_pair = _MACHINES[machine]
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_IF_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _ERROR | _EPERM),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_IF_AT_LEAST, 3, 0, _OTHER_ABI),
        (_IF_EQUAL, 4, 0, create),
        (_IF_EQUAL, 3, 0, create_pair),
        (_IF_EQUAL, 0, 1, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ERROR | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _ARGUMENT_AT),
        (_IF_EQUAL, 0, 1, _UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | _EAFNOSUPPORT),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
