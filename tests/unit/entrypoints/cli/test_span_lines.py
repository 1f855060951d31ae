"""Lines fit terminals, and what matters of a call is never cut."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from container_tracer.client import Span
from container_tracer.entrypoints.cli.span_lines import SpanLines

LONG = {"dfd": "AT_FDCWD", "filename": "/usr/share/zoneinfo/Europe/Berlin", "flags": "O_RDONLY"}


def span(**changes: Any) -> Span:
    known: dict[str, Any] = {
        "start_ns": 1_795_212_000_123_456_789,
        "duration_ns": 1_234,
        "name": "openat",
        "time": "2026-11-20T22:00:00.123456789Z",
        "namespace": "default",
        "pod": "shop",
        "container": "web",
        "pid": 10,
        "tid": 11,
        "command": "nginx",
        "arguments": LONG,
        "result": -2,
        "error": "ENOENT",
    }
    return Span(**{**known, **changes})


def test_eighty_columns_keep_time_container_task_duration_name_and_result() -> None:
    line = SpanLines(width=80).line(span())
    assert line.split()[:4] == ["22:00:00.123", "shop", "web", "nginx"]
    assert line.endswith("…) = ENOENT")
    assert cell_len(line) <= 80


def test_a_pipe_gets_everything() -> None:
    line = SpanLines().line(span())
    assert line.endswith(
        "openat(dfd=AT_FDCWD, filename=/usr/share/zoneinfo/Europe/Berlin, flags=O_RDONLY) = ENOENT"
    )


def test_namespaces_are_shown_from_where_two_pods_have_one_name() -> None:
    lines = SpanLines()
    pods = [("blue", "web-0"), ("blue", "db-0"), ("green", "web-0"), ("blue", "web-0")]
    shown = [lines.line(span(namespace=place, pod=pod)).split()[1] for place, pod in pods]
    assert shown == ["web-0", "db-0", "green/web-0", "blue/web-0"]


def test_what_a_virtual_machine_monitor_did_is_marked() -> None:
    assert "shop web (VMM) " in SpanLines().line(span(vmm=True))
    assert "shop (VMM) " in SpanLines().line(span(container="shop", vmm=True))
    assert " web (VMM) " in SpanLines().line(span(pod="", vmm=True))


def test_wide_adds_date_namespace_and_process() -> None:
    line = SpanLines(wide=True).line(span())
    assert "2026-11-20T22:00:00.123456789Z  default/shop web  nginx 10/11" in line


def test_incomplete_calls_say_why() -> None:
    lost = span(arguments=None, result=None, error="", incomplete="began unseen")
    assert SpanLines().line(lost).endswith("openat(?) [began unseen]")


def test_a_narrow_line_cuts_the_explanation_before_the_name() -> None:
    lost = span(name="clock_nanosleep", arguments=None, incomplete="began before the trace")
    assert "clock_nanosleep = ENOENT" in SpanLines(width=80).line(lost)


def test_results_that_are_addresses_are_written_as_such() -> None:
    assert SpanLines().line(span(result=0x7F1234567000, error="")).endswith(" = 0x7f1234567000")
    assert SpanLines().line(span(result=4096, error="")).endswith(" = 4096")


def test_a_container_called_as_its_pod_is_named_once() -> None:
    assert " shop  " in SpanLines().line(span(container="shop"))


def test_failures_are_red_and_gaps_in_the_record_yellow() -> None:
    lines = SpanLines(colour=True)
    assert "\x1b[31m = ENOENT\x1b[0m" in lines.line(span())
    assert "\x1b[33m [began unseen]" in lines.line(
        span(result=None, error="", incomplete="began unseen")
    )


@given(
    texts=st.tuples(*[st.text(max_size=40)] * 4),
    width=st.integers(10, 220),
    wide=st.booleans(),
)
def test_no_line_is_longer_than_the_terminal(
    texts: tuple[str, str, str, str], width: int, *, wide: bool
) -> None:
    pod, container, command, argument = texts
    lines = SpanLines(width=width, wide=wide)
    for _ in range(2):
        line = lines.line(
            span(pod=pod, container=container, command=command, arguments={"a": argument})
        )
        assert cell_len(line) <= width
