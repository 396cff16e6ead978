# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the original's configuration of a site or of one experiment, ``site.conf``, as settings of site.yml.

Source: DETER's Containers reference, "Site configuration". It is an INI file with interpolation (``%(exec_root)s``). Keys that have no
meaning here, and unknown ones, are ignored with a warning: the file was written for another program.
"""

from __future__ import annotations

import configparser
import os
import re

from ..errors import InputError, Problem

_SECTION = "(before the first section)"
_LARGEST = 1_000_000
_ARCHIVE = re.compile(r"\.(tar(\.(gz|bz2|xz|zst))?|tgz)$")
_INSTEAD = {
    "maverick_url": "give the image in site.yml: an entry of images with its url and sha256, and default_image",
    "openvz_template_dir": "give the images in site.yml: entries of images with their path and form: root",
    "qemu_host_os": "machines of the pool keep their systems",
    "openvz_host_os": "machines of the pool keep their systems",
    "switch_shaping": "all shaping is at the vhost's side of every attachment",
    "switched_containers": "all shaping is at the vhost's side of every attachment",
    "default_router": "routes to the testbed's own network are the operator's",
    "default_dest": "routes to the testbed's own network are the operator's",
}
_WITHOUT_MEANING = ("xmlrpc_server", "exec_root", "node_log", "topdl_converter", "backend_server", "grandstand_port", "attribute_prefix")


def read_site_conf(path: str, name: str = "") -> tuple[dict, tuple[Problem, ...]]:
    """Return ({setting: value as a command line gives it}, warnings).

    name  the file as the user calls it

    Raises InputError with file and line where the file is not in that form.
    """
    name = name or path
    text = _text(path, name)
    lines = _lines_of_keys(text)
    settings, warnings = {}, []
    for key, value in _values(text, name, lines).items():
        if key == "qemu_host_hw":
            settings["pnode_types"] = value
        elif key == "openvz_guest_url":
            settings["openvz_template"] = _template(value)
        elif key == "url_base":
            settings["url_base"] = value
        elif key in _INSTEAD:
            warnings.append(Problem("has no meaning here and is left out", name, lines.get(key, 0), key, _INSTEAD[key]))
        elif key not in _WITHOUT_MEANING:
            warnings.append(Problem("is not known and left out", name, lines.get(key, 0), key))
    return settings, tuple(warnings)


def _text(path: str, name: str) -> str:
    try:
        if not os.path.isfile(path):
            raise InputError(Problem("is a directory" if os.path.isdir(path) else "no such file", file=name))
        with open(path, encoding="utf-8") as handle:
            text = handle.read(_LARGEST + 1)
    except (OSError, ValueError) as exc:
        reason = "is not text" if isinstance(exc, UnicodeDecodeError) else f"cannot be read: {getattr(exc, 'strerror', None) or exc}"
        raise InputError(Problem(reason, file=name)) from exc
    if len(text) > _LARGEST:
        raise InputError(Problem(f"is larger than {_LARGEST:,} characters", file=name, hint="a site.conf has a few lines"))
    return text


def _values(text: str, name: str, lines: dict[str, int]) -> dict[str, str]:
    """Return {key in lower case: value} of all sections. Keys may also stand before the first section."""
    parser = configparser.ConfigParser()
    headless = not re.match(r"(\s*([#;].*)?\n)*\s*\[", text)
    try:
        parser.read_string(f"[{_SECTION}]\n{text}" if headless else text)
    except configparser.Error as exc:
        raise InputError(_not_ini(exc, name, 1 if headless else 0)) from exc
    found, problems = dict.fromkeys(parser.defaults(), ""), []
    for section in [*([configparser.DEFAULTSECT] if parser.defaults() else []), *parser.sections()]:
        for key in parser[section]:
            try:
                found[key] = parser[section][key].strip()
            except configparser.InterpolationError as exc:
                missing = exc.reference if isinstance(exc, configparser.InterpolationMissingOptionError) else ""
                what = f"refers to {missing}, which is not there" if missing else "refers to no value"
                problems.append(Problem(what, name, lines.get(key, 0), key, "%(NAME)s for another value, %% for a percent sign"))
    if problems:
        raise InputError(dict.fromkeys(problems))
    return found


def _not_ini(exc: configparser.Error, name: str, headers: int) -> Problem:
    if isinstance(exc, (configparser.DuplicateOptionError, configparser.DuplicateSectionError)):
        what = getattr(exc, "option", None) or exc.section
        return Problem("is given twice", name, max(0, (exc.lineno or 0) - headers), what)
    errors = getattr(exc, "errors", ())
    line = errors[0][0] if errors else getattr(exc, "lineno", 0)
    return Problem("is not a line of an INI file", name, max(0, (line or 0) - headers), hint="[section], or KEY = VALUE")


def _lines_of_keys(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"([^\s#;\[=:][^=:]*?)\s*[=:]", line)
        if match:
            found.setdefault(match[1].lower(), number)
    return found


def _template(url: str) -> str:
    """Return the template that an archive's path or URL names: ``…/ubuntu-10.04-x86.tar.gz`` → ``ubuntu-10.04-x86``."""
    return _ARCHIVE.sub("", url.rstrip("/").rsplit("/", 1)[-1])
