# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The appearance of each kind of node in a picture, and the legend that explains it.

Kinds differ in shape and brightness as well as in colour, so that they remain distinct in print and for the colour-blind. The colours of lines
are from the palette of Okabe and Ito (https://jfly.uni-koeln.de/color/); the fills are tints of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..attributes import NODE_TYPE, containers_attribute
from ..model import Computer, OtherElement
from .dot_language import Html, in_html

FONTS = "DejaVu Sans,Verdana,sans-serif"  # wide fonts: if a viewer has none of them, its fallback still fits into the boxes
INK, QUIET, WIRE = "#1c2733", "#3a4550", "#98a2ac"


@dataclass(frozen=True)
class Style:
    """The appearance of a kind of node.

    word: its name in the legend; shape, style: values of Graphviz; line, fill: colours.
    """

    word: str
    shape: str
    line: str
    fill: str
    style: str = "filled"


KINDS = {
    "process": Style("process", "ellipse", "#0072b2", "#e3f1fa"),
    "openvz": Style("openvz (system container)", "box", "#009e73", "#c9ecdf", "rounded,filled"),
    "qemu": Style("qemu (virtual machine)", "box", "#b85400", "#fbd9b0"),
    "embedded_pnode": Style("embedded_pnode (physical machine)", "box3d", "#1c2733", "#c3c8cd"),
    "pnode": Style("pnode (physical machine)", "box3d", "#1c2733", "#c3c8cd"),
    "": Style("computer", "box", "#1c2733", "#ffffff"),
}
OTHERS = {
    "testbed": Style("testbed", "folder", "#9a5b83", "#f4e3ee"),
    "segment": Style("segment", "hexagon", "#9a5b83", "#f4e3ee"),
    "region": Style("region", "tab", "#9a5b83", "#f4e3ee"),
    "other": Style("other element", "octagon", "#9a5b83", "#f4e3ee"),
}
LAN = Style("LAN", "box", "#3c4651", "#3c4651", "rounded,filled")
PNODE_BOX = Style("pnode, with the nodes that it carries", "box", "#8a949e", "#f5f6f7", "rounded,filled")
MACHINE_BOX = Style("virtual machine, with the processes in it", "box", "#b85400", "#fdf0df", "filled")
GHOST = "ghost (is not started)"
_CELLS_OF_A_ROW = 5
_ROW = '<TR><TD CELLPADDING="0"><TABLE BORDER="0" CELLBORDER="1" CELLSPACING="5" CELLPADDING="4"><TR>{}</TR></TABLE></TD></TR>'


def style_of(element: Computer | OtherElement) -> Style:
    """Return the style of a computer by its kind, in any spelling; of another element by its type."""
    if not isinstance(element, Computer):
        return OTHERS.get(element.kind, OTHERS["other"])
    kind = (containers_attribute(element, NODE_TYPE) or "").strip().lower()
    return _SPELLINGS.get(kind.replace("_", ""), KINDS[""])


_SPELLINGS = {kind.replace("_", ""): style for kind, style in KINDS.items()}


def in_order(styles: Iterable[Style]) -> list[Style]:
    """Return the distinct styles in the order of the tables."""
    found = set(styles)
    return [style for style in (*KINDS.values(), *OTHERS.values()) if style in found]


def legend(title: str, styles: list[Style], ghosts: bool) -> Html | None:
    """Return the title with the explanation of the given styles below it; None if there is nothing to show."""
    cells = [_cell(style.word, style.line, style.fill, "white" if style is LAN else INK, "rounded" if "rounded" in style.style else "") for style in styles]
    if ghosts:
        cells.append(_cell(GHOST, QUIET, "#ffffff", QUIET, "dashed"))
    rows = [_ROW.format("".join(cells[at : at + _CELLS_OF_A_ROW])) for at in range(0, len(cells), _CELLS_OF_A_ROW)]
    heading = [f'<TR><TD HEIGHT="32" VALIGN="BOTTOM"><FONT POINT-SIZE="13"><B>{in_html(title)}</B></FONT></TD></TR>'] if title else []
    lines = "".join(heading + rows)
    return Html(f'<TABLE BORDER="0" CELLSPACING="0">{lines}</TABLE>') if lines else None


def _cell(word: str, line: str, fill: str, ink: str, style: str) -> str:
    style = f' STYLE="{style}"' if style else ""
    return f'<TD COLOR="{line}" BGCOLOR="{fill}"{style}><FONT COLOR="{ink}" POINT-SIZE="9">{in_html(word)}</FONT></TD>'
