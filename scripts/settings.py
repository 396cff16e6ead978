# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what the pages of docs/ say of each setting, from the list in plugins/module_utils/settings/schema.py.

scripts/settings.py          writes docs/site.schema.json and the tables of settings in docs/site.md and docs/playbooks.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.insert(0, str(ROOT / ".ansible" / "collections"))

from ansible_collections.deter.benito.plugins.module_utils.settings.original_options import ORIGINAL_OPTIONS  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import SETTINGS, site_schema  # noqa: E402
from ansible_collections.deter.benito.plugins.module_utils.settings.setting import Setting  # noqa: E402

TABLE = re.compile(r"(<!-- settings: written by scripts/settings\.py -->\n).*?(<!-- end of settings -->)", re.DOTALL)


def texts(settings: Sequence[Setting] = SETTINGS) -> dict[Path, str]:
    """Return {file: its whole text} of everything that is written from the settings."""
    return {
        DOCS / "site.schema.json": json.dumps(site_schema(tuple(settings)), indent=1, ensure_ascii=False) + "\n",
        DOCS / "site.md": _with_table(DOCS / "site.md", "setting | default | values | meaning", map(_site_row, settings)),
        DOCS / "playbooks.md": _with_table(DOCS / "playbooks.md", "variable | values | meaning", [*map(_playbooks_row, settings), *_original_rows()]),
    }


def _with_table(page: Path, head: str, rows: Iterable[str]) -> str:
    lines = [f"| {head} |", "|" + "---|" * (head.count("|") + 1), *rows]
    text, count = TABLE.subn(lambda match: match[1] + "\n" + "\n".join(lines) + "\n\n" + match[2], page.read_text(encoding="utf-8"))
    if count != 1:
        raise SystemExit(f"{page} has {count} places for the table of settings; it must have one, between the two comments {TABLE.pattern}")
    return text


def _site_row(setting: Setting) -> str:
    default = setting.default if isinstance(setting.default, str) and setting.default else json.dumps(setting.default)
    return f"| `{setting.name}` | `{default}` | {setting.values()} | {' '.join(filter(None, (setting.summary, setting.details)))} |"


def _playbooks_row(setting: Setting) -> str:
    return f"| `{setting.name}` | {setting.values()} | {setting.summary} |"


def _original_rows() -> Iterable[str]:
    for option in ORIGINAL_OPTIONS:
        yield f"| `{option.name}` | {option.values} | {option.summary} |"


if __name__ == "__main__":
    for path, text in texts().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: written")
