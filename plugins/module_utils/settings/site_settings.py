# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the settings of site.yml and of a run, check them against the schema, write them down.

What is given to the run (``overrides``, from extra variables) wins over the file, and the file over what is built in. An experiment
keeps the settings it was created with as a complete site.yml of its own.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..embedding.placement.catalogue import catalogue_problems
from ..embedding.settings import EmbeddingSettings
from ..errors import BenitoError, InputError, Problem
from .schema import SETTINGS, SITE_SCHEMA
from .setting import Setting, expected

IMPORT_ERROR: ImportError | None = None
try:
    import jsonschema
    import yaml
except ImportError as exc:
    IMPORT_ERROR = exc

_MOST_CHARACTERS = 1_000_000
_SETTINGS: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}
_Where = Callable[[list], dict[str, Any]]
"""Tells the file and line of a path of keys, as arguments of Problem."""


@dataclass(frozen=True)
class SiteSettings(EmbeddingSettings):
    """Every setting, valid: those of planning, and those of reading and drawing. schema.py has their meanings."""

    ns_profile: str = "default"
    image_limit_s: int = 20
    url_base: str = ""


def load_site(path: str | None, overrides: Mapping[str, Any] | None = None, required: bool = False,
              config: Mapping[str, Any] | None = None) -> SiteSettings:
    """Return the settings of the file at ``path``, with ``config`` on top of them and ``overrides`` on top of both.

    path       None for no file; a file that does not exist is an error only if ``required``
    overrides  {setting: value, None for one that is not given}; values may be texts of a command line: "10", "openvz=process,qemu=process"
    config     {setting: value} of a ``site.conf``, see site_conf.py

    Raises InputError with everything that is wrong.
    """
    if IMPORT_ERROR:
        raise BenitoError(f"the settings need the Python libraries jsonschema and PyYAML beside Ansible: {IMPORT_ERROR}") from IMPORT_ERROR
    values, problems = _read(path, required) if path else ({}, [])
    run = {**(config or {}), **{name: value for name, value in (overrides or {}).items() if value is not None}}
    given = {name: _SETTINGS[name].from_run(value) if name in _SETTINGS else value for name, value in run.items()}
    problems += _problems_of(given, lambda _keys: {})
    if problems:
        raise InputError(problems)
    merged: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in {**values, **given}.items()}
    settings = SiteSettings(**merged)
    problems = [Problem(message, file=path or "" if keys[0] in values and keys[0] not in given else "", element=".".join(keys), hint=hint)
                for keys, message, hint in catalogue_problems(settings.images, settings.default_image, settings.openvz_template)]
    if problems:
        raise InputError(problems)
    return settings


def site_yaml(settings: SiteSettings) -> str:
    """Return the settings as a complete site.yml that ``load_site`` reads back."""
    head = "# The settings this experiment was created with. Schema: docs/site.schema.json of the collection deter.benito\n---\n"
    return head + yaml.safe_dump(as_dict(settings), sort_keys=False)


def as_dict(settings: EmbeddingSettings) -> dict[str, Any]:
    """Return the settings as site.yml has them."""
    values = ((f.name, getattr(settings, f.name)) for f in dataclasses.fields(settings))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _read(path: str, required: bool) -> tuple[dict[str, Any], list[Problem]]:
    """Return (values, problems) of a settings file."""
    try:
        with open(path, encoding="utf-8") as handle:
            text = handle.read(_MOST_CHARACTERS)
    except FileNotFoundError:
        return ({}, [Problem("no such file", file=path)]) if required else ({}, [])
    except OSError as exc:
        return {}, [Problem(f"cannot be read: {exc.strerror}", file=path)]
    except UnicodeDecodeError:
        return {}, [Problem("is not text", file=path, hint="a YAML file in UTF-8")]
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            return {}, [Problem("YAML aliases have no use in settings", file=path)]
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        return {}, [Problem(f"is not YAML: {getattr(exc, 'problem', None) or str(exc).splitlines()[0]}", file=path, line=mark.line + 1 if mark else 0)]
    if tree is None or values is None:
        return {}, []
    if not isinstance(values, dict) or not isinstance(tree, yaml.MappingNode):
        return {}, [Problem("is not a list of settings", file=path, line=tree.start_mark.line + 1, hint="lines like 'packing: 10'")]
    values = {name: _SETTINGS[name].from_file(value) if name in _SETTINGS else value for name, value in values.items()}
    return values, list(_repeated_keys(tree, path)) or _problems_of(values, lambda keys: {"file": path, "line": _line(tree, keys)})


def _problems_of(values: dict[str, Any], where: _Where) -> list[Problem]:
    """Return everything that the schema has against ``values``."""
    problems = [_unknown(name, where) for name in values if name not in _SETTINGS]
    validator = jsonschema.Draft202012Validator(SITE_SCHEMA, format_checker=_formats())
    for error in validator.iter_errors({name: value for name, value in values.items() if name in _SETTINGS}):
        keys = [*error.absolute_path, *([error.instance] if "propertyNames" in error.absolute_schema_path else [])]
        message = f"{error.instance!r} is not allowed" if error.validator == "enum" else error.message
        hint = _SETTINGS[keys[0]].expected() if len(keys) == 1 else expected(error.schema)
        problems.append(Problem(message, element=".".join(str(key) for key in keys), hint=hint, **where(keys)))
    return problems


def _unknown(name: object, where: _Where) -> Problem:
    near = difflib.get_close_matches(str(name), _SETTINGS, 1)
    hint = f"perhaps {near[0]}" if near else "the settings are " + ", ".join(_SETTINGS)
    return Problem("there is no such setting", element=str(name), hint=hint, **where([name]))


def _line(tree: yaml.Node, keys: list) -> int:
    """Return the line of the key that the path ``keys`` leads to."""
    line = tree.start_mark.line + 1
    for key in keys:
        entries = {name.value: (name, value) for name, value in tree.value if isinstance(name, yaml.ScalarNode)} if isinstance(tree, yaml.MappingNode) else {}
        if str(key) not in entries:
            break
        name, tree = entries[str(key)]
        line = name.start_mark.line + 1
    return line


def _repeated_keys(tree: yaml.MappingNode, path: str) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for name, _value in tree.value:
        line = name.start_mark.line + 1
        if isinstance(name, yaml.ScalarNode) and seen.setdefault(name.value, line) != line:
            yield Problem("is given twice", file=path, line=line, element=name.value, hint=f"first in line {seen[name.value]}")


def _formats() -> jsonschema.FormatChecker:
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("ipv4-network", raises=ValueError)
    def _network(value: object) -> bool:
        return not isinstance(value, str) or ("/" in value and bool(ipaddress.IPv4Network(value)))

    @checker.checks("ipv4-multicast", raises=ValueError)
    def _group(value: object) -> bool:
        return not isinstance(value, str) or ipaddress.IPv4Address(value).is_multicast

    return checker
