# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one setting is, and how it looks to site.yml's schema, to Ansible and in a message. The settings themselves are in schema.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .option_syntax import list_of_words, number, pairs, truth, whole_number

Rule = Mapping[str, Any]
"""A JSON schema (draft 2020-12) of a setting or of a part of one."""

_ANSIBLE_TYPES = {"integer": "int", "number": "float", "boolean": "bool", "string": "str", "array": "list", "object": "dict"}
_FROM_TEXT: dict[str, Callable[[object], object]] = {
    "integer": whole_number, "number": number, "boolean": truth, "array": list_of_words, "object": pairs,
}
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]*)`")


@dataclass(frozen=True)
class Setting:
    """One setting: an entry of site.yml, an option of the module containerize, an extra variable of its playbook.

    rule         which values are allowed
    default      the value where nobody gives one
    summary      a sentence, in Markdown; links are relative to docs/
    details      further sentences, in Markdown
    syntax       what brings the original's option syntax to the form of ``rule``; None where that syntax is the text of a plain type
    example      a value in the original's option syntax
    raw_because  why Ansible is told no type; "" where it is told the type of ``rule``
    """

    name: str
    rule: Rule
    default: Any
    summary: str
    details: str = ""
    syntax: Callable[[object], object] | None = None
    example: str = ""
    raw_because: str = ""

    def schema(self) -> dict[str, Any]:
        """Return its part of the JSON schema of site.yml."""
        return {"description": plain(f"{self.summary} {self.details}"), **self.rule, "default": self.default}

    def argument(self, with_default: bool = False) -> dict[str, Any]:
        """Return its part of an Ansible argument spec.

        with_default  whether the built-in value holds where the option is not given; else site.yml's does
        """
        if self.raw_because:
            kind: dict[str, Any] = {"type": "raw"}
        else:
            kind = {"type": _ANSIBLE_TYPES[self.rule.get("type", "string")]}
        if kind["type"] == "list":
            kind["elements"] = _ANSIBLE_TYPES[self.rule["items"]["type"]]
        if "enum" in self.rule:
            kind["choices"] = list(self.rule["enum"])
        if with_default:
            kind["default"] = self.default
        return {**kind, "no_log": False}  # Ansible takes pass_pack for a password

    def documentation(self, options: Mapping[str, object], with_default: bool = False) -> dict[str, Any]:
        """Return what a module's DOCUMENTATION says of the option. Names among ``options`` become references to them."""
        text = [ansible_markup(sentence, options) for sentence in (self.summary, self.details, self._forms()) if sentence]
        return {"description": text, **{name: value for name, value in self.argument(with_default).items() if name != "no_log"}}

    def from_file(self, value: object) -> object:
        """Return a value of site.yml in the form of ``rule``. What has no such form is returned as it is, for the schema to refuse."""
        return self.syntax(value) if self.syntax else value

    def from_run(self, value: object) -> object:
        """Return a value that a run gives, which may be the text of a plain type, likewise."""
        convert = self.syntax or _FROM_TEXT.get(self.rule.get("type", ""))
        return convert(value) if convert else value

    def expected(self) -> str:
        """Return which values are allowed, for a message."""
        return f"{expected(self.rule)} or '{self.example}'" if self.example else expected(self.rule)

    def values(self) -> str:
        """Return which values are allowed, in Markdown."""
        if "enum" in self.rule:
            return ", ".join(f"`{value}`" for value in self.rule["enum"])
        if self.rule.get("type") == "boolean":
            return "`true`, `false`"
        if "examples" in self.rule:
            return f"`{flow(self.rule['examples'][0])}`" + (f" or `{self.example}`" if self.example else "")
        minimum, maximum = self.rule["minimum"], self.rule.get("maximum")
        return f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"

    def _forms(self) -> str:
        return f"It may be written as {self.values()}." if self.example else ""


def expected(rule: Rule) -> str:
    """Return which values a rule allows, for a message; "" where the rule says too little."""
    if "enum" in rule:
        return "one of " + ", ".join(rule["enum"])
    if "examples" in rule:
        return f"such as {flow(rule['examples'][0])}"
    if rule.get("type") in ("integer", "number"):
        what = "a whole number" if rule["type"] == "integer" else "a number"
        return f"{what} from {rule['minimum']} to {rule['maximum']}" if "maximum" in rule else f"{what}, at least {rule['minimum']}"
    if rule.get("type") == "boolean":
        return "true or false"
    return str(rule.get("description", ""))


def flow(value: object) -> str:
    """Return a value as YAML in one line, for people: without quotes."""
    return json.dumps(value, ensure_ascii=False).replace('"', "")


def plain(markdown: str) -> str:
    """Return the text without links and marks."""
    return _CODE.sub(r"\1", _LINK.sub(r"\1", markdown)).strip()


def ansible_markup(markdown: str, options: Mapping[str, object]) -> str:
    """Return the text in the markup of Ansible's documentation: options by reference, other code as values."""

    def code(match: re.Match[str]) -> str:
        text = match[1]
        return f"O({text})" if text in options else "V(" + text.replace("\\", "\\\\").replace(")", "\\)") + ")"

    return _CODE.sub(code, _LINK.sub(r"\1", markdown))
