# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From which archives, through which proxies a system made here gets its packages: like this machine does. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MAIN = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_KEPT_OPTIONS = re.compile(r'Acquire::(https?::|Check-Valid-Until |Check-Date |Retries |ForceIPv[46] )')
_LOCAL_PROXY = re.compile(r'Acquire::https?::Proxy[^"]*"[^"]*(//|@)(127\.|localhost|\[::1\])')


@dataclass(frozen=True)
class Source:
    """One archive that apt knows: where, and which suites and components of it."""

    uri: str
    suites: tuple
    components: tuple


def parse_sources_list(text: str) -> tuple:
    """The ``deb`` lines of a one-line-style file as Sources."""
    sources = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            sources.append(Source(match.group(1), (match.group(2),), tuple(match.group(3).split())))
    return tuple(sources)


def parse_deb822(text: str) -> tuple:
    """The enabled ``deb`` stanzas of a deb822 file as Sources, one for each URI."""
    sources = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = {match.group(1).lower(): match.group(2).split() for match in re.finditer(r"^(\S+):((?:.*\n?)(?:[ \t].*\n?)*)", stanza, re.MULTILINE)}
        if "deb" in fields.get("types", ()) and fields.get("enabled", ["yes"])[0].lower() != "no":
            sources.extend(Source(uri, tuple(fields.get("suites", ())), tuple(fields.get("components", ()))) for uri in fields.get("uris", ()))
    return tuple(sources)


def debian_lines(sources, is_debian: bool, suite: str) -> tuple:
    """sources.list lines of ``suite``: Debian main from the mirrors that this machine uses, where it is a Debian itself, else from Debian's own."""
    main, security = _MAIN, _SECURITY
    if is_debian:
        usable = [source for source in sources if re.match(r"https?://", source.uri) and "main" in source.components]
        main = next((source.uri for source in usable if source.uri.rstrip("/").endswith("/debian")), main)
        security = next((source.uri for source in usable if any(suite.endswith("-security") for suite in source.suites)), security)
    head = f"deb [signed-by={KEYRING}]"
    return (f"{head} {main} {suite} main", f"{head} {main} {suite}-updates main", f"{head} {security} {suite}-security main")


def kept_options(dump: str, environment) -> tuple:
    """The lines of apt configuration about reaching archives that systems made here shall have too.

    dump         what ``apt-config dump`` printed
    environment  a mapping with http_proxy and https_proxy, which apt obeys where it is not configured otherwise
    A proxy on the loopback cannot be reached from elsewhere and is left out.
    """
    lines = [line.strip() for line in dump.splitlines() if _KEPT_OPTIONS.match(line.strip()) and '""' not in line]
    for scheme in ("http", "https"):
        proxy = environment.get(scheme + "_proxy", "")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return tuple(line for line in lines if not _LOCAL_PROXY.match(line))
