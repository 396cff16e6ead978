# Copyright: deter.benito contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of an experiment as options of the command line, one for each entry of the collection's list of settings."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from ansible_collections.deter.benito.plugins.module_utils.settings.options import option_names
from ansible_collections.deter.benito.plugins.module_utils.settings.original_options import ORIGINAL_OPTIONS
from ansible_collections.deter.benito.plugins.module_utils.settings.schema import SETTINGS
from ansible_collections.deter.benito.plugins.module_utils.settings.setting import Setting, plain

_PANEL_NAMES = ("openvz_diskspace",)  # options of the original that no option of a setting stands for already


def with_settings(*leave_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command an option for each setting. The command gets those that are given as the dictionary ``settings``.

    leave_out  settings that the command has in another form
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        added = [_parameter(setting) for setting in SETTINGS if setting.name not in leave_out]
        added += [_text_option(one.name, plain(f"{one.summary} {one.values}")) for one in ORIGINAL_OPTIONS if one.name in _PANEL_NAMES]

        def run(**arguments: Any) -> None:
            given = {one.name: value for one in added if (value := arguments.pop(one.name)) is not None}
            command(**arguments, settings={name: from_text(value) for name, value in given.items()})

        kept = [parameter for parameter in own.parameters.values() if parameter.name != "settings"]
        parameters = [*kept, *added]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # of any function; typer reads the options there
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def from_text(value: Any) -> Any:
    """Return a value as the module containerize takes it: lists and objects may be JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def read_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Return {setting: value} of texts NAME=VALUE. Raises typer.BadParameter for one that is none."""
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in option_names():
            raise typer.BadParameter(f"--set {pair}: " + (f"there is no setting {name}; docs/site.md lists them" if sign else "write --set NAME=VALUE"))
        found[name] = from_text(value)
    return found


def _parameter(setting: Setting) -> inspect.Parameter:
    about = plain(setting.summary)
    if setting.rule.get("type") == "boolean":
        flag = setting.name.replace("_", "-")
        return _keyword(setting.name, Annotated[bool | None, typer.Option(f"--{flag}/--no-{flag}", help=about, show_default=False)])
    choices = setting.rule.get("enum")
    return _text_option(setting.name, about, choices)


def _text_option(name: str, about: str, choices: Sequence[str] | None = None) -> inspect.Parameter:
    metavar = "|".join(choices) if choices else "VALUE"
    option = typer.Option(f"--{name.replace('_', '-')}", help=about, metavar=metavar, show_default=False,
                          autocompletion=(lambda incomplete: [one for one in choices if one.startswith(incomplete)]) if choices else None)
    return _keyword(name, Annotated[str | None, option])


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
