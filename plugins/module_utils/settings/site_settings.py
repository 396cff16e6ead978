# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of site.yml (design §5.15): read, checked against the published schema, and written down.

Precedence: what is given to the run (``overrides``, from extra variables) over the file over what is
built in. An experiment keeps the settings it was made with as its own site.yml, complete.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
from dataclasses import dataclass

from ..embedding.placement.images import catalogue_problems
from ..embedding.settings import EmbeddingSettings
from ..errors import BenitoError, InputError, Problem
from .option_syntax import number, numbers_by_pass, passes, truth, whole_number, words, words_by_pass
from .schema import SITE_SCHEMA

try:
    import jsonschema
    import yaml
except ImportError as exc:
    jsonschema = yaml = None
    IMPORT_ERROR = exc
else:
    IMPORT_ERROR = None

_SETTINGS = SITE_SCHEMA["properties"]
_SPECIAL = {"pass_pack": numbers_by_pass, "pass_size": numbers_by_pass, "pass_pnodes": words_by_pass, "pass_nodes_only": passes, "pnode_types": words,
            "memory_overcommit": number}
_OF_TYPE = {"integer": whole_number, "number": number, "boolean": truth, "array": words}


@dataclass(frozen=True)
class SiteSettings(EmbeddingSettings):
    """Every setting, valid: those of planning, and those of reading and drawing. Meanings and defaults: schema.py."""

    ns_profile: str = "default"
    image_limit_s: int = 20


def load_site(path: str | None, overrides: dict | None = None, required: bool = False, config: dict | None = None) -> SiteSettings:
    """The settings of the file at ``path``, ``config`` on top of them, ``overrides`` on top of both.

    path      None for no file; a file that does not exist is an error only if ``required``
    overrides {setting: value, None = not given}; values as a command line gives them, too: "10", "openvz=process,qemu=process"
    config    {setting: value} of a ``site.conf``, see site_conf.py

    Raises InputError with everything that is wrong.
    """
    if IMPORT_ERROR:
        raise BenitoError(f"the settings need the Python libraries jsonschema and PyYAML beside Ansible: {IMPORT_ERROR}") from IMPORT_ERROR
    values, problems = _read(path, required) if path else ({}, [])
    run = {name: value for name, value in (overrides or {}).items() if value is not None}
    given = {name: _from_text(name, value) for name, value in {**(config or {}), **run}.items()}
    problems += _problems_of(given, lambda _path: {})
    if problems:
        raise InputError(problems)
    merged = {name: tuple(value) if isinstance(value, list) else value for name, value in {**values, **given}.items()}
    settings = SiteSettings(**merged)
    problems = [Problem(message, file=path if keys[0] in values and keys[0] not in given else "", element=".".join(keys), hint=hint)
                for keys, message, hint in catalogue_problems(settings.images, settings.default_image, settings.openvz_template)]
    if problems:
        raise InputError(problems)
    return settings


def site_yaml(settings: SiteSettings) -> str:
    """The settings as a complete site.yml that ``load_site`` reads back."""
    head = "# The settings this experiment was created with. Schema: docs/site.schema.json of the collection deter.benito\n---\n"
    return head + yaml.safe_dump(as_dict(settings), sort_keys=False)


def as_dict(settings: SiteSettings) -> dict:
    """The settings as site.yml has them."""
    values = ((f.name, getattr(settings, f.name)) for f in dataclasses.fields(settings))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _read(path: str, required: bool):
    """(values, problems) of a settings file."""
    try:
        with open(path, encoding="utf-8") as handle:
            text = handle.read(1_000_000)
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
    if values is None:
        return {}, []
    if not isinstance(values, dict):
        return {}, [Problem("is not a list of settings", file=path, line=tree.start_mark.line + 1, hint="lines like 'packing: 10'")]
    doubled = _doubled_keys(tree, path)
    values = {name: _SPECIAL[name](value) if name in _SPECIAL else value for name, value in values.items()}
    return values, doubled or _problems_of(values, lambda keys: {"file": path, "line": _line(tree, keys)})


def _problems_of(values: dict, where) -> list[Problem]:
    """Everything the schema has against ``values``; ``where`` tells a key path's file and line."""
    problems = []
    validator = jsonschema.Draft202012Validator(SITE_SCHEMA, format_checker=_FORMATS)
    for name in values:
        if name not in _SETTINGS:
            near = difflib.get_close_matches(str(name), _SETTINGS, 1)
            hint = f"perhaps {near[0]}" if near else "the settings are " + ", ".join(_SETTINGS)
            problems.append(Problem("there is no such setting", element=str(name), hint=hint, **where([name])))
    for error in validator.iter_errors({name: value for name, value in values.items() if isinstance(name, str) and name in _SETTINGS}):
        keys = [*error.absolute_path, *([error.instance] if "propertyNames" in error.absolute_schema_path else [])]
        what = f"{error.instance!r} is not allowed" if error.validator == "enum" else error.message
        hint = _rule(error.schema) if {"enum", "type"} & set(error.schema) else ""
        problems.append(Problem(what, element=".".join(str(key) for key in keys), hint=hint, **where(keys)))
    return problems


def _rule(schema: dict) -> str:
    """What a setting, or a part of one, may be, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "examples" in schema:
        return "such as " + " or ".join(schema["examples"])
    if schema["type"] in ("integer", "number"):
        return f"a {'whole ' if schema['type'] == 'integer' else ''}number from {schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "array":
        networks = schema["items"]["type"] == "string"
        return "a list of networks like [192.168.0.0/16]" if networks else "a list like [{name: mike, authorized_keys: [ssh-ed25519 …]}]"
    if schema["type"] == "object" and "enum" in schema.get("propertyNames", {}):
        return "kinds and what to realise them as, like {openvz: process}"
    formats = {"ipv4-network": "a network like 10.0.0.0/16", "ipv4-multicast": "an address like 239.192.0.0"}
    return formats.get(schema.get("format", ""), schema.get("description", ""))


def _from_text(name: str, value):
    """A value as the schema wants it, from the text a command line gives; what does not fit stays for the schema to refuse."""
    if name in _SPECIAL:
        return _SPECIAL[name](value)
    kind = _SETTINGS.get(name, {}).get("type")
    if kind in _OF_TYPE or not isinstance(value, str):
        return _OF_TYPE.get(kind, lambda same: same)(value)
    pairs = [[side.strip() for side in pair.split("=")] for pair in value.split(",") if pair.strip()]
    if kind == "object" and all(len(pair) == 2 for pair in pairs):
        return dict(pairs)
    return value


def _line(tree, keys: list) -> int:
    """The line of the key that the path ``keys`` leads to."""
    line = tree.start_mark.line + 1
    for key in keys:
        pairs = {pair[0].value: pair for pair in tree.value if pair[0].id == "scalar"} if tree.id == "mapping" else {}
        if str(key) not in pairs:
            break
        name, tree = pairs[str(key)]
        line = name.start_mark.line + 1
    return line


def _doubled_keys(tree, path: str) -> list[Problem]:
    problems = []
    seen: dict[str, int] = {}
    for name, _value in tree.value:
        line = name.start_mark.line + 1
        if name.id == "scalar" and seen.setdefault(name.value, line) != line:
            problems.append(Problem("stands twice", file=path, line=line, element=name.value, hint=f"first in line {seen[name.value]}"))
    return problems


def _formats():
    checker = jsonschema.FormatChecker(formats=())

    @checker.checks("ipv4-network", raises=ValueError)
    def _network(value):
        return not isinstance(value, str) or ("/" in value and bool(ipaddress.IPv4Network(value)))

    @checker.checks("ipv4-multicast", raises=ValueError)
    def _group(value):
        return not isinstance(value, str) or ipaddress.IPv4Address(value).is_multicast

    return checker


_FORMATS = _formats() if jsonschema else None
