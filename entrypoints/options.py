"""Options of a program: from its command line and its environment to typed values.

A program declares its options as fields of an attrs class (`option`) and reads
them all at once (`read_options`). A flag beats its variables; of several variables the first
that is not empty counts; an empty variable is as good as none.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from attrs import Factory, evolve, field, fields, frozen

from .. import __version__

NONE = "none"
"""The default of what is not there unless somebody says so."""

_METADATA = "container_tracer.option"


@frozen(kw_only=True)
class Variable:
    """A variable that is no option of a settings class, since others say how it is read.

    `default` and `unit` are as those of `Option`.
    """

    name: str
    meaning: str
    default: str = NONE
    unit: str = ""

    @property
    def described(self) -> str:
        """All that a person should know, in a line."""
        return f"{self.meaning}; {_default(self.default, self.unit)}"


@frozen(kw_only=True)
class Option:
    """How an option is given, and what becomes of its text.

    `parse` takes every text given for it, in order, and raises `ValueError` with what is wrong.
    `split` takes the text of a variable apart, and raises the same. A `switch` may be given
    without a value. Without a `flag`, it is given by variables only. `default` and `unit` are
    words for people: what counts where nothing is given, and what numbers count. Of one that is
    `repeatable`, all that is given counts.
    """

    flag: str
    variables: tuple[str, ...]
    parse: Callable[[Sequence[str]], object]
    meaning: str
    split: Callable[[str], Sequence[str]] = lambda text: [text] if text else []
    switch: bool = False
    default: str = NONE
    unit: str = ""
    repeatable: bool = False

    @property
    def described(self) -> str:
        """All that a person should know, in a line."""
        more = "; repeatable" if self.repeatable else ""
        return f"{self.meaning}{more}; {_default(self.default, self.unit)}"

    def read(self, name: str, texts: Sequence[str]) -> object:
        """Parse texts; raise `ValueError` that names where they come from."""
        try:
            return self.parse(texts)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


def last(parse: Callable[[str], object]) -> Callable[[Sequence[str]], object]:
    """Let the last text given for an option count."""
    return lambda texts: parse(texts[-1])


def option(
    flag: str,
    *variables: str,
    default: object,
    parse: Callable[[Sequence[str]], object],
    meaning: str,
    split: Callable[[str], Sequence[str]] = lambda text: [text] if text else [],
    switch: bool = False,
    secret: bool = False,
    default_text: str = "",
    unit: str = "",
    repeatable: bool = False,
) -> Any:  # noqa: ANN401 - it stands for the field's value, of whatever type that is
    """Declare a field of a settings class; the parameters are those of `Option`.

    A `secret` is left out where settings are shown. `default_text` says what the default is where
    its value does not.
    """
    how = Option(
        flag=flag,
        variables=variables,
        parse=parse,
        meaning=meaning,
        split=split,
        switch=switch,
        default=default_text or _written(default),
        unit=unit,
        repeatable=repeatable,
    )
    return field(default=default, metadata={_METADATA: how}, repr=not secret)


def _default(text: str, unit: str) -> str:
    if not unit:
        return f"default {text}"
    return f"default {text} {unit}" if text[:1].isdigit() else f"in {unit}; default {text}"


def _written(default: object) -> str:
    """Write a default as it would be given."""
    if isinstance(default, Factory):  # type: ignore[arg-type] # attrs shows it as a function
        return _written(default.factory())  # type: ignore[attr-defined]
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ", ".join(map(str, default)) or NONE
    return NONE if default is None or default == {} else str(default) or NONE


def options_of(settings: type) -> dict[str, Option]:
    """Return the options of a settings class, by the name of the field.

    `{role}` in the name of a variable is what the class says as `VARIABLES`: for what several
    roles are told, each has variables of its own. Fields that are not made by `option` are for
    whoever reads them in another way.
    """
    found = fields(settings)
    role = getattr(settings, "VARIABLES", "")
    return {
        one.name: _of_role(one.metadata[_METADATA], role)
        for one in found
        if _METADATA in one.metadata
    }


def _of_role(how: Option, role: str) -> Option:
    """Name the variables of a role; what is every role's may be one of them."""
    named = (one.format(role=role) for one in how.variables)
    return evolve(how, variables=tuple(dict.fromkeys(named)))


def read_options(
    parser: "CommandLine",
    options: Mapping[str, Option],
    *,
    argv: Sequence[str],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """Read what was given, by name; whatever was not given is left out.

    Anything wrong: one line on stderr, and the program exits with status 2.
    """
    flags = vars(parser.parse_args(argv))
    values = {}
    try:
        for name, how in options.items():
            given = _given(how, flags.get(name), environ)
            if given is not None:
                values[name] = how.read(*given)
    except ValueError as error:
        parser.error(str(error))
    return values


def _given(
    how: Option, flag_texts: Sequence[str] | None, environ: Mapping[str, str]
) -> tuple[str, Sequence[str]] | None:
    if flag_texts is not None:
        return how.flag, flag_texts
    for variable in how.variables:
        if texts := _split(how, variable, environ.get(variable, "").strip()):
            return variable, texts
    return None


def _split(how: Option, variable: str, text: str) -> Sequence[str]:
    try:
        return how.split(text)
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from error


class CommandLine(argparse.ArgumentParser):
    """argparse that complains in one line, and takes no abbreviations."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line whatever was given, and exit with status 2."""
        line = "".join(
            one if one.isprintable() else one.encode("unicode_escape").decode() for one in message
        )
        self.exit(2, f"{self.prog}: {line}\n")


def command_line(
    program: str, options: Mapping[str, Option], variables: Sequence[Variable] = ()
) -> CommandLine:
    """Make the parser of a program; `--help` shows the variables too."""
    alone = _variables_only(options, variables)
    parser = CommandLine(prog=program, allow_abbrev=False, epilog=alone)
    parser.add_argument("--version", action="version", version=f"{program} {__version__}")
    flags = {name: how for name, how in options.items() if how.flag}
    for name, how in flags.items():
        named = f" [{', '.join(how.variables)}]" if how.variables else ""
        parser.add_argument(
            how.flag,
            dest=name,
            action="append",
            metavar="VALUE",
            nargs="?" if how.switch else None,
            const="true" if how.switch else None,
            help=(how.described + named).replace("%", "%%"),
        )
    return parser


def _variables_only(options: Mapping[str, Option], variables: Sequence[Variable]) -> str:
    """Say what can be given by variables only, such as what no list of processes should show."""
    said = [
        f"{', '.join(how.variables)}: {how.described}" for how in options.values() if not how.flag
    ]
    said += [f"{one.name}: {one.described}" for one in variables]
    return f"Variables without a flag: {'. '.join(said)}.".replace("%", "%%") if said else ""
