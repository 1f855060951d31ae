"""Arguments of hooks come from clients: they are split as in a shell, and refused in sentences."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.hook import (
    LONGEST_ARGUMENTS,
    ArgumentParser,
    HookArgument,
    HookCatalogue,
    TraceHook,
)
from container_tracer.domain.model.hooks.trace_syscalls import TraceSyscalls
from container_tracer.domain.model.session_request import InvalidArguments, UnknownHook

HOOK: TraceHook = TraceSyscalls()


@pytest.fixture
def parser() -> ArgumentParser:
    parser = ArgumentParser(
        "look",
        [
            HookArgument(flags=("-n", "--name"), value="NAME...", description="what to look at"),
            HookArgument(flags=("--all",), value="", description="look at everything"),
        ],
    )
    parser.add_argument("-n", "--name", nargs="+", default=[])
    parser.add_argument("--all", action="store_true")
    return parser


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("-n a b", ["a", "b"]),
        ("--name=a", ["a"]),
        ("-n 'a b' \"c d\" e\\ f", ["a b", "c d", "e f"]),
        ("-n 'it'\"'\"'s'", ["it's"]),
        ("-n '' a", ["", "a"]),
        ("-n $HOME `id` $(id) ; |", ["$HOME", "`id`", "$(id)", ";", "|"]),
        ("-n # a", ["#", "a"]),
    ],
)
def test_words_are_split_and_quoted_as_in_a_shell_that_expands_nothing(
    parser: ArgumentParser, text: str, words: list[str]
) -> None:
    assert parser.parse_words(text).name == words


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("--nam a", "unrecognized arguments: --nam a"),
        ("--help", "unrecognized arguments: --help"),
        ("-h", "unrecognized arguments: -h"),
        ("a", "unrecognized arguments: a"),
        ("--", "unrecognized arguments: --"),
        ("-n a -- b", "unrecognized arguments: --"),
        ("@/etc/passwd", "unrecognized arguments: @/etc/passwd"),
        ("-n", "argument -n/--name: expected at least one argument"),
        ("--all=1", "argument --all: ignored explicit argument '1'"),
        ("-n 'a", "cannot split the arguments into words: no closing quotation"),
        ("-n a\\", "cannot split the arguments into words: no escaped character"),
        ("-n a\x00", "arguments cannot have control characters"),
        ("-n a\n--all", "arguments cannot have control characters"),
        ("-n a\r", "arguments cannot have control characters"),
        ("-n \x1b[2J", r"control characters, as in '-n \x1b[2J'"),
        ("-n \u202eevil", "arguments cannot have control characters"),
        ("-n \udcff", "arguments cannot have control characters"),
        ("-n " + "a" * 100_000, "arguments have at most 8192 characters, not 100003"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence_that_says_what_does(
    parser: ArgumentParser, text: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parser.parse_words(text)
    message = str(caught.value)
    assert message.startswith("look: ")
    assert why in message
    assert message.endswith("It takes: -n/--name NAME...; --all.")
    assert message.isprintable()
    assert capfd.readouterr() == ("", "")


def test_a_complaint_is_short_however_long_the_words(parser: ArgumentParser) -> None:
    with pytest.raises(InvalidArguments) as caught:
        parser.parse_words("b" * LONGEST_ARGUMENTS)
    assert len(str(caught.value)) < 300


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(max_size=60) | st.text("-n=al '\"\\,*[]\t", max_size=40))
def test_any_text_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    parser = ArgumentParser("look", [])
    parser.add_argument("-n", "--name", nargs="+")
    parser.add_argument("--all", action="store_true")
    try:
        parser.parse_words(text)
    except InvalidArguments as error:
        assert str(error).isprintable()  # noqa: PT017


def test_a_hook_is_found_by_its_name() -> None:
    assert HookCatalogue({HOOK.name: HOOK}).find("trace_syscalls") is HOOK


def test_an_unknown_hook_is_refused_with_those_there_are() -> None:
    catalogue = HookCatalogue({"b": HOOK, "a": HOOK})
    with pytest.raises(UnknownHook, match=r"no trace hook 'Trace'; there are: a, b\."):
        catalogue.find("Trace")


def test_a_hook_is_unavailable_for_its_own_reason_or_that_of_all() -> None:
    events = frozenset({"sched:sched_switch"})
    assert "no events for system calls" in HookCatalogue({}, events).unavailable(HOOK)
    assert HookCatalogue({}, events, "No tracefs.").unavailable(HOOK) == "No tracefs."
