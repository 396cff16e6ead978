# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading of one XML element: it takes the known children, keeps the others, and knows its location.

All texts are stripped of surrounding white space, as in the original readers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from typing import Any, TypeVar
from xml.sax.saxutils import escape

from .attributes import PREFIX, containers_name
from .model import Attribute, Unknown
from .problem_log import ProblemLog

XmlElement = Any  # an lxml element; the stubs of lxml lack sourceline
T = TypeVar("T")

XML_SPACE = " \t\r\n"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_MAX_INTEGER = 2**31 - 1
_SHOWN_CHARACTERS = 40


def local_name(xml: XmlElement) -> str:
    """Return the element's name without its namespace; "" for a comment or processing instruction."""
    tag = xml.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def xml_attributes(xml: XmlElement, without: Container[str] = ()) -> str:
    """Return the element's XML attributes as ``name="value"`` pairs, namespaces stripped; of equal names the first."""
    pairs: dict[str, str] = {}
    for name, value in xml.attrib.items():
        if name.rpartition("}")[2] not in without:
            pairs.setdefault(name.rpartition("}")[2], value)
    entities = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
    return " ".join(f'{name}="{escape(value, entities)}"' for name, value in pairs.items())


def raw_xml(xml: XmlElement, without: Container[str] = ()) -> str:
    """Return the element as XML text without namespaces and without the children named in ``without``."""
    tag = local_name(xml)
    attributes = xml_attributes(xml)
    inner = [_escaped(xml.text)]
    for child in xml:
        if local_name(child) and local_name(child) not in without:
            inner.append(raw_xml(child) + _escaped(child.tail))
    content = "".join(inner)
    start = f"{tag} {attributes}" if attributes else tag
    return f"<{start}>{content}</{tag}>" if content else f"<{start}/>"


def _is_plain_attribute(xml: XmlElement) -> bool:
    """Return whether this is exactly <attribute><attribute>NAME</attribute><value>TEXT</value></attribute>."""
    if len(xml) != 2 or xml.attrib or (xml.text and not xml.text.isspace()):
        return False
    name, value = xml
    return (
        name.tag == "attribute"
        and value.tag == "value"
        and not (len(name) or len(value) or name.attrib or value.attrib)
        and bool(name.text and name.text.strip(XML_SPACE))
        and not (name.tail and not name.tail.isspace())
        and not (value.tail and not value.tail.isspace())
    )


def _escaped(text: str | None) -> str:
    return escape(text, {"\r": "&#13;"}) if text else ""


def shown(text: str) -> str:
    """Return ``text`` quoted for a message: one line, of limited length, without control characters."""
    plain = repr(text[: 4 * _SHOWN_CHARACTERS])
    return plain if len(plain) <= _SHOWN_CHARACTERS else plain[:_SHOWN_CHARACTERS] + "…'"


def named(kind: str, name: str) -> str:
    """Return the name of an element for messages, such as "computer a"."""
    if name.isprintable() and len(name) <= _SHOWN_CHARACTERS:
        return f"{kind} {name}".strip()
    return f"{kind} {shown(name)}"


class Scope:
    """An XML element being read.

    kind, name  its name in messages: "computer a"; the reader sets ``name`` once it is known
    """

    __slots__ = (
        "problems",
        "xml",
        "kind",
        "name",
        "parent",
        "number",
        "line",
        "_children",
        "_kept_xml_attributes",
        "_kept_elements",
        "_wrapper",
        "_taken_xml_attributes",
    )

    def __init__(self, problems: ProblemLog, xml: XmlElement, kind: str, parent: Scope | None = None, number: int = 0, wrapper: XmlElement | None = None):
        self.problems = problems
        self.xml = xml
        self.kind = kind
        self.name = ""
        self.parent = parent
        self.number = number
        self.line = xml.sourceline or 0
        self._children: dict[str, list] = {}
        self._kept_xml_attributes: list[Unknown] = []
        self._kept_elements: list[Unknown] = []
        stray = xml.text
        for child in xml:
            if child.tail and not child.tail.isspace():
                stray = child.tail
            tag = child.tag
            if not isinstance(tag, str) or tag[0] == "{":
                tag = local_name(child)
            if tag in self._children:
                self._children[tag].append(child)
            else:
                self._children[tag] = [child]
        self._wrapper = wrapper
        self._taken_xml_attributes: tuple[str, ...] = ()
        if stray and not stray.isspace():
            self._stray_text(stray)

    @property
    def label(self) -> str:
        """Return the location in terms of the input: "computer a, interface inf000"."""
        own = named(self.kind, self.name) if self.name or not self.number else f"{self.kind} number {self.number}"
        above = self.parent.label if self.parent else ""
        return f"{above}, {own}" if above and own else above or own

    def error(self, message: str, hint: str = "", line: int = 0) -> None:
        self.problems.error(line or self.line, self.label, message, hint)

    def absence(self, message: str, hint: str = "") -> None:
        self.problems.absence(self.line, self.label, message, hint)

    def warn(self, kind: str, message: str, hint: str = "", line: int = 0) -> None:
        self.problems.warn(kind, line or self.line, self.label, message, hint)

    def has(self, tag: str) -> bool:
        return tag in self._children

    def take(self, tag: str) -> list:
        """Return the children called ``tag`` as raw XML, and mark them as known."""
        return self._children.pop(tag, [])

    def text(self, tag: str) -> str | None:
        """Return the text of the only child called ``tag``; None if there is none."""
        texts = self.texts(tag)
        if len(texts) > 1:
            self.error(f"more than one <{tag}>", "there may be one only")
        return texts[0] if texts else None

    def texts(self, tag: str) -> tuple[str, ...]:
        """Return the texts of all children called ``tag``, in order."""
        children = self._children.pop(tag, None)
        if children is None:
            return ()
        found = []
        for number, child in enumerate(children, 1):
            if len(child):
                self.error(f"<{tag}> holds elements where text belongs", line=child.sourceline or 0)
            if child.attrib:
                self._keep_xml_attributes(f"{tag}/{number}", child)
            found.append((child.text or "").strip(XML_SPACE))
        return tuple(found)

    def each(self, tag: str, read: Callable[[Scope], T], kind: str = "") -> tuple:
        """Return ``read(scope)`` of every child called ``tag``, in order."""
        children = self._children.pop(tag, None)
        if children is None:
            return ()
        return tuple(read(Scope(self.problems, child, kind or tag, self, number)) for number, child in enumerate(children, 1))

    def only(self, tag: str, read: Callable[[Scope], T]) -> T | None:
        """Return ``read(scope)`` of the only child called ``tag``; None if there is none."""
        found = self._children.pop(tag, ())
        if len(found) > 1:
            self.error(f"more than one <{tag}>", "there may be one only")
        return read(Scope(self.problems, found[0], tag, self)) if found else None

    def number_of(self, tag: str, unit: str) -> float | None:
        """Return the child ``tag`` as a finite number of at least 0; log an error and return None otherwise."""
        text = self.text(tag)
        if text is None:
            self.absence(f"has no <{tag}>", f"a number of {unit}")
            return None
        if not _NUMBER.fullmatch(text):
            self.error(f"<{tag}> is {shown(text)}, not a number", f"a number of {unit}, for example 10.5")
            return None
        value = float(text)
        if value < 0:
            self.error(f"<{tag}> is negative: {shown(text)}", f"a number of {unit}, 0 or more")
        elif value == float("inf"):
            self.error(f"<{tag}> is too large: {shown(text)}", f"a number of {unit}")
        else:
            return value + 0.0
        return None

    def integer(self, what: str, text: str) -> int | None:
        """Return ``text`` as an integer from 0 to 2^31-1; log an error and return None otherwise."""
        if not _INTEGER.fullmatch(text):
            self.error(f"{what} is {shown(text)}, not a whole number")
        elif text.startswith("-") and text.strip("-0"):
            self.error(f"{what} is negative: {shown(text)}")
        elif len(text.lstrip("+-0")) > 10 or int(text) > _MAX_INTEGER:
            self.error(f"{what} is too large: {shown(text)}", f"at most {_MAX_INTEGER}")
        else:
            return abs(int(text))
        return None

    def attributes(self) -> tuple[Attribute, ...]:
        """Return the ``<attribute>`` children, and warn of repeated names."""
        children = self._children.pop("attribute", None)
        if children is None:
            return ()
        found = tuple(self._attribute(child, number) for number, child in enumerate(children, 1))
        self._report_repeated(found)
        return found

    def unknown(self) -> tuple[Unknown, ...]:
        """Return all content that was not taken, to be kept, and warn of each kind of it. Call this last."""
        for child in self.xml if self._children else ():
            tag = local_name(child)
            if tag in self._children and tag:
                self.keep(tag, raw_xml(child), child.sourceline or 0)
        if self.xml.attrib:
            self._keep_xml_attributes("", self.xml, self._taken_xml_attributes)
        if self._wrapper is not None and self._wrapper.attrib:
            self._keep_xml_attributes("..", self._wrapper)
        return (*self._kept_xml_attributes, *self._kept_elements)

    def keep(self, tag: str, text: str, line: int = 0, what: str = "") -> None:
        """Keep an element that is not understood; ``what`` names it, or its content, in the warning."""
        what = what or tag
        hint = "it belongs into <elements>" if what in ("computer", "testbed", "segment", "region", "other") else ""
        message = f"<{what}> is not known here; it is kept, and has no effect"
        self.warn(f"unknown elements <{what}>", message, hint, line)
        self._kept_elements.append(Unknown(tag, text))

    def keep_quietly(self, tag: str, unknown: tuple[Unknown, ...]) -> None:
        """Keep the unknown content of an inner element as an element ``tag`` of this one."""
        if unknown:
            attributes = "".join(f" {kept.text}" for kept in unknown if not kept.tag)
            content = "".join(kept.text for kept in unknown if kept.tag)
            self._kept_elements.append(Unknown(tag, f"<{tag}{attributes}>{content}</{tag}>"))

    def xml_attribute(self, name: str) -> str | None:
        """Return the value of the element's own XML attribute ``name``, else None, and mark it as known."""
        self._taken_xml_attributes += (name,)
        return next((value for key, value in self.xml.attrib.items() if key.rpartition("}")[2] == name), None)

    def _attribute(self, xml: XmlElement, number: int) -> Attribute:
        if _is_plain_attribute(xml):
            return Attribute(xml[0].text.strip(XML_SPACE), (xml[1].text or "").strip(XML_SPACE))
        scope = Scope(self.problems, xml, "attribute", self, number)
        name = scope.text("attribute")
        scope.name = name or ""
        if not name:
            scope.absence("an attribute without a name", "<attribute><attribute>NAME</attribute><value>TEXT</value></attribute>")
        value = scope.text("value")
        return Attribute(name or "", value or "", scope.unknown())

    def _report_repeated(self, attributes: Sequence[Attribute]) -> None:
        if len(attributes) < 2:
            return
        seen: dict[str, Attribute] = {}
        for attribute in attributes:
            canonical = containers_name(attribute.name)
            first = seen.setdefault(attribute.name if canonical is None else PREFIX + canonical, attribute)
            if first is attribute:
                continue
            if first.name == attribute.name:
                self.warn("repeated attributes", f"attribute {shown(attribute.name)} is given more than once", "the first one counts")
            elif first.value != attribute.value:
                self.warn(
                    "attributes under several names",
                    f"attributes {shown(first.name)} and {shown(attribute.name)} are the same one with different values",
                    f"'{PREFIX}{canonical}' counts before any other spelling, else the first",
                )

    def _keep_xml_attributes(self, tag: str, xml: XmlElement, without: Container[str] = ()) -> None:
        pairs = xml_attributes(xml, without)
        if pairs:
            place = local_name(xml)
            message = f"XML attribute {shown(pairs)} of <{place}> is not known; it is kept, and has no effect"
            self.warn(f"XML attributes of <{place}>", message, line=xml.sourceline or 0)
            self._kept_xml_attributes.append(Unknown(tag, pairs))

    def _stray_text(self, text: str) -> None:
        self.warn("stray text", f"the text {shown(text.strip())} in <{local_name(self.xml)}> means nothing here and is left out")
