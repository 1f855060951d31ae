"""`completion`: scripts that let a shell complete what is typed."""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import field, frozen

from .command import Command, Invocation
from .command_line import command_parser, main_parser
from .exit_codes import ExitCode
from .program import CLIENT

PROGRAM = CLIENT.typed
FILE_OPTIONS = frozenset(
    {"--token-file", "--kubeconfig", "--ca-file", "--client-cert", "--client-key"}
)


@frozen(kw_only=True)
class Words:
    """What may follow a command: its options, and words from a list, if it has one."""

    name: str
    summary: str = ""
    options: Sequence[argparse.Action] = ()
    choices: Sequence[str] = field(factory=tuple)

    @property
    def flags(self) -> str:
        """All options, in one line."""
        return " ".join(flag for option in self.options for flag in option.option_strings)

    @property
    def first(self) -> str:
        """What comes next where no option was begun, in one line."""
        return " ".join(self.choices) or self.flags


def describe(commands: Mapping[str, Command]) -> list[Words]:
    """Collect the words of the program itself (without a name), and of every command."""
    itself = _words("", "", main_parser(commands), tuple(commands))
    return [
        itself,
        *(_words(one.name, one.summary, command_parser(one)) for one in commands.values()),
    ]


def _words(
    name: str, summary: str, parser: argparse.ArgumentParser, choices: Sequence[str] = ()
) -> Words:
    actions = parser._actions  # noqa: SLF001 - argparse tells nowhere else what it knows
    places = [one.choices for one in actions if not one.option_strings and one.choices]
    return Words(
        name=name,
        summary=summary,
        options=[one for one in actions if one.option_strings],
        choices=choices or tuple(str(choice) for place in places for choice in place),
    )


def values_of(words: Iterable[Words]) -> dict[tuple[str, ...], tuple[str, ...] | None]:
    """Return the options that take a value, and their choices; None is a file."""
    found: dict[tuple[str, ...], tuple[str, ...] | None] = {}
    for option in (option for one in words for option in one.options):
        if option.nargs == 0:
            continue
        flags = tuple(option.option_strings)
        found[flags] = None if FILE_OPTIONS & set(flags) else tuple(map(str, option.choices or ()))
    return found


def bash_script(words: Sequence[Words]) -> str:
    """Write a completion for bash."""
    reply = 'COMPREPLY=($(compgen {} -- "$current"))'
    values = "\n".join(
        f"        {'|'.join(flags)}) {reply.format(_compgen(choices))}; return ;;"
        for flags, choices in values_of(words).items()
    )
    cases = "\n".join(
        f'        "{one.name}") words="{one.first}" options="{one.flags}" ;;' for one in words
    )
    return f"""\
_container_tracer() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local command="" word words="" options=""
    COMPREPLY=()
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in
        --) return ;;
        {_names(words)}) command=${{command:-$word}} ;;
        esac
    done
    case $previous in
{values}
    esac
    case $command in
{cases}
    esac
    [[ $current != -* ]] || words=$options
    {reply.format('-W "$words"')}
}}
complete -F _container_tracer {PROGRAM}"""


def _compgen(choices: Sequence[str] | None) -> str:
    return "-f" if choices is None else f'-W "{" ".join(choices)}"'


def zsh_script(words: Sequence[Words]) -> str:
    """Write a completion for zsh."""
    values = "\n".join(
        f"        ({'|'.join(flags)}) {_zsh_values(choices)}return ;;"
        for flags, choices in values_of(words).items()
    )
    cases = "\n".join(
        f"        ('{one.name}') words_=({one.first}) options_=({one.flags}) ;;" for one in words
    )
    return f"""\
#compdef {PROGRAM}
_container_tracer() {{
    local command='' word
    local -a words_ options_
    for word in "${{(@)words[2,CURRENT-1]}}"; do
        case $word in
        (--) return ;;
        ({_names(words)}) command=${{command:-$word}} ;;
        esac
    done
    case ${{words[CURRENT-1]}} in
{values}
    esac
    case $command in
{cases}
    esac
    if [[ ${{words[CURRENT]}} == -* ]]; then compadd -- $options_; else compadd -- $words_; fi
}}
compdef _container_tracer {PROGRAM}"""


def _zsh_values(choices: Sequence[str] | None) -> str:
    if choices is None:
        return "_files; "
    return f"compadd -- {' '.join(choices)}; " if choices else ""


def _names(words: Iterable[Words]) -> str:
    return "|".join(one.name for one in words if one.name)


def fish_script(words: Sequence[Words]) -> str:
    """Write a completion for fish."""
    lines = [f"complete -c {PROGRAM} -f"]
    for one in words:
        seen = f"__fish_seen_subcommand_from {one.name}" if one.name else "__fish_use_subcommand"
        start = f"complete -c {PROGRAM} -n '{seen}'"
        if one.name:
            lines.append(
                f"complete -c {PROGRAM} -n __fish_use_subcommand -a {one.name}"
                f" -d {_fish_text(one.summary)}"
            )
            lines += [f"{start} -a {choice}" for choice in one.choices]
        lines += [f"{start}{_fish_option(option)}" for option in one.options]
    return "\n".join(lines)


def _fish_option(option: argparse.Action) -> str:
    flags = "".join(
        f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}"
        for flag in option.option_strings
    )
    value = "" if option.nargs == 0 else " -r"
    if FILE_OPTIONS & set(option.option_strings):
        value += " -F"
    if option.choices:
        value += f" -a '{' '.join(map(str, option.choices))}'"
    return f"{flags}{value} -d {_fish_text(option.help or '')}"


def _fish_text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"


SCRIPTS: Mapping[str, Callable[[Sequence[Words]], str]] = {
    "bash": bash_script,
    "zsh": zsh_script,
    "fish": fish_script,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the name of the shell."""
    parser.add_argument("shell", metavar="SHELL", choices=list(SCRIPTS), help=", ".join(SCRIPTS))


def completion_command(commands: Mapping[str, Command]) -> Command:
    """Make the command that completes itself and these commands."""

    async def run(invocation: Invocation) -> int:
        script = SCRIPTS[invocation.options.shell](describe({**commands, itself.name: itself}))
        invocation.output.lines(script.splitlines())
        return ExitCode.FINE

    itself = Command(
        name="completion",
        summary="print a script that completes these commands in a shell",
        synopsis="bash | zsh | fish",
        examples=(
            "completion bash > /etc/bash_completion.d/container-tracer",
            "completion zsh > ~/.zfunc/_container-tracer",
            "completion fish > ~/.config/fish/completions/container-tracer.fish",
        ),
        add_options=add_options,
        run=run,
    )
    return itself
