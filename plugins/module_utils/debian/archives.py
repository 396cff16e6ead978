# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell from which archives and through which proxies a system made here gets its packages: as this machine does. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MAIN = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_KEPT_OPTIONS = re.compile(r'Acquire::(https?::|Check-Valid-Until |Check-Date |Retries |ForceIPv[46] )')
_LOCAL_PROXY = re.compile(r'Acquire::https?::Proxy[^"]*"[^"]*(//|@)(127\.|localhost|\[::1\])')


@dataclass(frozen=True)
class Source:
    """An archive that apt knows, with the suites and components that it takes from there."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]


def parse_sources_list(text: str) -> tuple[Source, ...]:
    """Return the ``deb`` lines of a one-line-style file."""
    sources: list[Source] = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            sources.append(Source(match.group(1), (match.group(2),), tuple(match.group(3).split())))
    return tuple(sources)


def parse_deb822(text: str) -> tuple[Source, ...]:
    """Return the enabled ``deb`` stanzas of a deb822 file, one Source for each URI."""
    sources: list[Source] = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)):
        fields = {match.group(1).lower(): match.group(2).split() for match in re.finditer(r"^(\S+):((?:.*\n?)(?:[ \t].*\n?)*)", stanza, re.MULTILINE)}
        if "deb" in fields.get("types", ()) and fields.get("enabled", ["yes"])[0].lower() != "no":
            sources.extend(Source(uri, tuple(fields.get("suites", ())), tuple(fields.get("components", ()))) for uri in fields.get("uris", ()))
    return tuple(sources)


def debian_lines(sources: Iterable[Source], is_debian: bool, suite: str) -> tuple[str, ...]:
    """Return the sources.list lines of Debian main of ``suite``, from Debian's own archives.

    is_debian  whether ``sources`` are a Debian's; then its mirrors take their place
    """
    main, security = _MAIN, _SECURITY
    if is_debian:
        usable = [source for source in sources if re.match(r"https?://", source.uri) and "main" in source.components]
        main = next((source.uri for source in usable if source.uri.rstrip("/").endswith("/debian")), main)
        security = next((source.uri for source in usable if any(suite.endswith("-security") for suite in source.suites)), security)
    head = f"deb [signed-by={KEYRING}]"
    return (f"{head} {main} {suite} main", f"{head} {main} {suite}-updates main", f"{head} {security} {suite}-security main")


def kept_options(dump: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of apt configuration about reaching archives, for systems made here.

    dump         the output of ``apt-config dump``
    environment  may have http_proxy and https_proxy, which apt obeys where its configuration names no proxy

    A proxy on the loopback cannot be reached from elsewhere and is left out.
    """
    lines = [line.strip() for line in dump.splitlines() if _KEPT_OPTIONS.match(line.strip()) and '""' not in line]
    for scheme in ("http", "https"):
        proxy = environment.get(scheme + "_proxy", "")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return tuple(line for line in lines if not _LOCAL_PROXY.match(line))
