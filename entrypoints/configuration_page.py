"""The page that lists all that programs can be told: `python -m` writes docs/configuration.md.

Nothing is written by hand: options of the roles come from their settings, those of the client from
its parsers. A section of a role is a settings class that has a `SECTION`.
"""

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attrs import frozen

from .cli.commands import COMMANDS
from .cli.completion import describe
from .node import settings as node
from .node.later import LATER
from .options import NONE, Option, Variable, options_of
from .server_settings import ServerSettings
from .svc import settings as svc

PAGE = Path(__file__).parents[1] / "docs/configuration.md"

_INTRODUCTION = """\
# Configuration

All that programs can be told. This page is made of the settings themselves, by `make docs`.

A flag wins over its variables, and of several variables the first that is not empty counts. A \
value is given as `--flag value` or `--flag=value`; a switch may stand alone. What is repeatable \
may be given several times, and as a list in its variable.
An unknown flag, a value that cannot be, a file that cannot be read: one line on stderr, exit code \
2, nothing started. `--help` and `--version` print and exit.
"""

_HEAD = "| flag | environment | default | unit | meaning |\n|---|---|---|---|---|\n"
_VARIABLES_HEAD = "| environment | default | unit | meaning |\n|---|---|---|---|\n"
_CLIENT_HEAD = "| flag | environment | default | meaning |\n|---|---|---|---|\n"
_HELP = re.compile(
    r"(?P<meaning>.*?)(?: \[(?P<variable>[A-Z_]+)(?P<how>[^\]]*)\])?(?:; default (?P<default>.*))?"
)


@frozen(kw_only=True)
class Role:
    """A program that serves; `later` are options that it only refuses."""

    program: str
    settings: type[ServerSettings]
    later: Mapping[str, Option]


ROLES = (
    Role(program=node.PROGRAM, settings=node.NodeSettings, later=LATER),
    Role(program=svc.PROGRAM, settings=svc.SvcSettings, later={}),
)


def page() -> str:
    """Write it."""
    parts = [_INTRODUCTION, *map(_role, ROLES), _variables(ROLES), _client()]
    return "\n".join(parts)


def _role(role: Role) -> str:
    sections = [
        f"### {title}\n\n{_HEAD}{_rows(options)}"
        for title, options in sections_of(role.settings).items()
    ]
    if role.later:
        sections.append(f"### Refused in this version\n\n{_HEAD}{_rows(role.later.values())}")
    return "\n".join([f"## {role.program}\n", *sections])


def sections_of(settings: type) -> Mapping[str, list[Option]]:
    """Return the options of a role by the section of the class that first has them.

    That of the role itself comes first.
    """
    sections: dict[str, list[Option]] = {}
    for name, how in options_of(settings).items():
        owner = [one for one in settings.__mro__ if name in vars(one).get("__annotations__", {})][
            -1
        ]
        sections.setdefault(getattr(owner, "SECTION", "Further"), []).append(how)
    own = getattr(settings, "SECTION", "")
    return dict(sorted(sections.items(), key=lambda item: item[0] != own))


def _rows(options: Iterable[Option]) -> str:
    return "".join(
        _row(
            _code(how.flag),
            _listed(how.variables),
            _default(how.default),
            how.unit,
            _text(f"{how.meaning}; repeatable" if how.repeatable else how.meaning),
        )
        for how in options
    )


def _variables(roles: Iterable[Role]) -> str:
    known: dict[str, Variable] = {
        one.name: one for role in roles for one in role.settings.VARIABLES_ALONE
    }
    rows = (
        _row(_code(one.name), _default(one.default), one.unit, _text(one.meaning))
        for one in known.values()
    )
    return f"## Variables of both roles without a flag\n\n{_VARIABLES_HEAD}{''.join(rows)}"


def _client() -> str:
    everywhere, *commands = describe(COMMANDS)
    shared = {tuple(one.option_strings) for one in everywhere.options}
    tables = [f"## container-tracer\n\n{_CLIENT_HEAD}{''.join(_actions(everywhere.options))}"]
    for command in commands:
        own = [one for one in command.options if tuple(one.option_strings) not in shared]
        if rows := "".join(_actions(own)):
            tables.append(f"### {command.name}\n\n{_CLIENT_HEAD}{rows}")
    return "\n".join(tables)


def _actions(actions: Iterable[argparse.Action]) -> Iterator[str]:
    for action in actions:
        found = _HELP.fullmatch(action.help or "")
        if found is None or {"--help", "--version"} & set(action.option_strings):
            continue
        yield _row(
            _listed(action.option_strings),
            _code(found["variable"] or "") + (found["how"] or ""),
            _default(found["default"] or ("off" if action.nargs == 0 else NONE)),
            _text(found["meaning"]),
        )


def _row(*cells: str) -> str:
    return f"|{'|'.join(f' {one} ' if one else ' ' for one in cells)}|\n"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(_code, words))


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


def _default(text: str) -> str:
    """Mark what can be given as it stands; the rest is words about it."""
    return text if " " in text.replace(", ", "") or text in ("off", NONE, "any") else _code(text)


def _text(text: str) -> str:
    """Mark flags, and keep apart what would be a new cell."""
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]*)", r"`\1`", text).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
