# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell from which archives and through which proxies a system made here gets its packages: as this machine does. Pure.

Credentials serve only while the system is made. Nothing that is in the system, or that names it, has them.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_MAIN = "http://deb.debian.org/debian"
_SECURITY = "http://deb.debian.org/debian-security"
_KEPT_OPTIONS = re.compile(r'Acquire::(https?::|Check-Valid-Until |Check-Date |Retries |ForceIPv[46] )')
_PUBLIC_PROXY = re.compile(r'"(DIRECT|false|([a-z0-9]+://)?[^@/?#"]+/?)";?', re.IGNORECASE)
_PUBLIC_NAMES = frozenset((
    "pipeline-depth", "no-cache", "max-age", "no-store", "timeout", "connectionattemptdelaymsec", "dl-limit", "allowredirect", "sendaccept",
    "verify-peer", "verify-host", "cainfo", "capath", "sslforceversion", "retries",
))
"""Options of apt's methods http and https that hold no secret and no path of one."""
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
    main, security = (source.uri for source in _without_credentials(_mirrors(sources, is_debian)))
    head = f"deb [signed-by={KEYRING}]"
    return (f"{head} {main} {suite} main", f"{head} {main} {suite}-updates main", f"{head} {security} {suite}-security main")


def build_logins(sources: Iterable[Source], is_debian: bool) -> tuple[str, ...]:
    """Return the lines of apt's auth.conf for the credentials in the URIs of the archives that ``debian_lines`` names."""
    lines = []
    for source in _mirrors(sources, is_debian):
        uri = urllib.parse.urlsplit(source.uri)
        if uri.username:
            password = f" password {urllib.parse.unquote(uri.password)}" if uri.password else ""
            place = urllib.parse.urlsplit(_public(source.uri))
            lines.append(f"machine {place.scheme}://{place.netloc}{place.path} login {urllib.parse.unquote(uri.username)}{password}")
    return tuple(dict.fromkeys(lines))


def _mirrors(sources: Iterable[Source], is_debian: bool) -> tuple[Source, Source]:
    """Return the archives of Debian main and of its security updates."""
    main, security = Source(_MAIN, (), ()), Source(_SECURITY, (), ())
    if is_debian:
        usable = [source for source in sources if re.match(r"https?://", source.uri) and "main" in source.components]
        main = next((source for source in usable if _public(source.uri).rstrip("/").endswith("/debian")), main)
        security = next((source for source in usable if any(suite.endswith("-security") for suite in source.suites)), security)
    return main, security


def _without_credentials(sources: Iterable[Source]) -> Iterable[Source]:
    return (replace(source, uri=_public(source.uri)) for source in sources)


def _public(uri: str) -> str:
    """Return a URI without user and password."""
    parts = urllib.parse.urlsplit(uri)
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def kept_options(dump: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of apt configuration about reaching archives that stay in a system made here. None has credentials.

    dump         the output of ``apt-config dump``
    environment  may have http_proxy and https_proxy, which apt obeys where its configuration names no proxy

    A proxy on the loopback cannot be reached from elsewhere and is left out.
    """
    return tuple(line for line in _options(dump, environment) if _is_public(line))


def build_options(dump: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines of apt configuration about reaching archives that serve only while a system is made: those that may have credentials."""
    return tuple(line for line in _options(dump, environment) if not _is_public(line))


def _options(dump: str, environment: Mapping[str, str]) -> list[str]:
    lines = [line.strip() for line in dump.splitlines() if _KEPT_OPTIONS.match(line.strip()) and '""' not in line]
    for scheme in ("http", "https"):
        proxy = environment.get(scheme + "_proxy", "")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return [line for line in lines if not _LOCAL_PROXY.match(line)]


def _is_public(line: str) -> bool:
    """Return whether everybody may see a line of apt configuration. Of unknown options nobody knows that."""
    name, _space, value = line.partition(" ")
    words = name.lower().split("::")
    if words[1] not in ("http", "https"):
        return True
    if words[2] == "proxy":
        return bool(_PUBLIC_PROXY.fullmatch(value))
    return words[-1] in _PUBLIC_NAMES and "@" not in value
