# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSH keys and other secrets of an experiment. Host keys are made at creation (design §5.12), so that known_hosts is complete before the first login."""

from __future__ import annotations

import secrets

from ..errors import BenitoError
from ..hostplan import HOST_KEY

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
except ImportError:
    Ed25519PrivateKey = None  # type: ignore[assignment, misc]  # reported where keys are made

ACCESS_KEY = "secrets/ssh_key"
TUNNEL_SALT = "secrets/tunnel_salt"
"""The secret of which the VXLAN identifiers are made: who knows the names of an experiment cannot tell its identifiers."""


def host_key_files(nodes: list[str], domain: str) -> dict[str, bytes]:
    """Make a new Ed25519 key pair for each of ``nodes``. Return {path inside the experiment directory: content}.

    domain  follows the node's name in the key's comment: ".example1.detertest"

    Raises BenitoError when the Python library cryptography, which Ansible brings, is missing.
    """
    if nodes and Ed25519PrivateKey is None:
        raise BenitoError("making host keys needs the Python library cryptography")
    files = {}
    for node in nodes:
        files.update(_pair(f"secrets/{node}/{HOST_KEY}", f"{node}{domain}"))
    return files


def access_key_files(experiment: str) -> dict[str, bytes]:
    """Make a new key pair that may log in as root on every node. Return {path inside the experiment directory: content}."""
    return _pair(ACCESS_KEY, experiment)


def new_salt() -> str:
    """Return a new secret for TUNNEL_SALT."""
    return secrets.token_hex(16)


def _pair(path: str, comment: str) -> dict[str, bytes]:
    key = Ed25519PrivateKey.generate()
    return {
        path: key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        f"{path}.pub": key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + f" {comment}\n".encode(),
    }
