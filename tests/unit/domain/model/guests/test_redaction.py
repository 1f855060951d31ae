"""What a request to an agent held stays in the guest, wherever the agent wrote it."""

from attrs import evolve

from container_tracer.domain.model.guests.redaction import MAX_SPAN_BYTES, GuestTexts
from container_tracer.domain.model.single_span import (
    AttributeMap,
    SingleSpan,
    SpanEvent,
    SpanLink,
    SpanOrigin,
)
from container_tracer.domain.model.single_span_size import size_of
from container_tracer.domain.model.trace_context import SpanContext

SECRET = "PASSWORD=hunter2"
DUMP = f'CreateContainerRequest {{ container_id: "web", env: ["{SECRET}"] }}'
ORIGIN = SpanOrigin(attributes={"service.name": "kata-agent"})
OTHER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8)
SPAN = SingleSpan(
    name="create_container",
    trace_id=b"\1" * 16,
    span_id=b"\1" * 8,
    started_ns=1,
    ended_ns=2,
    attributes={"req": DUMP, "mod": "rpc.rs", "busy_ns": 7, "quick": True},
    status_message=DUMP,
    events=(
        SpanEvent(name=DUMP, time_ns=1, attributes={"level": "INFO", "error": DUMP}),
        SpanEvent(name="event src/rpc.rs:120", time_ns=2, attributes={"target": "kata_agent"}),
        SpanEvent(name="exception", time_ns=2, dropped_attributes=4),
    ),
    links=(SpanLink(context=OTHER, attributes={"why": DUMP}),),
    dropped_events=5,
)
REDACTED = f"redacted ({len(DUMP)} bytes)"


def test_no_dump_is_exported_and_everything_else_is() -> None:
    shown = GuestTexts().exported(SPAN, ORIGIN)
    assert SECRET not in repr(shown)
    assert shown == evolve(
        SPAN,
        origin=ORIGIN,
        attributes={"req": REDACTED, "mod": "rpc.rs", "busy_ns": 7, "quick": True},
        status_message=REDACTED,
        events=(
            SpanEvent(name=REDACTED, time_ns=1, attributes={"level": "INFO", "error": REDACTED}),
            *SPAN.events[1:],
        ),
        links=(SpanLink(context=OTHER, attributes={"why": REDACTED}),),
    )


def test_who_asks_for_dumps_gets_them_whole() -> None:
    assert GuestTexts(dumps=True).exported(SPAN, ORIGIN) == evolve(SPAN, origin=ORIGIN)


def test_a_list_of_texts_or_of_many_numbers_is_a_dump_and_a_few_numbers_are_not() -> None:
    lists: AttributeMap = {
        "args": ("sh", SECRET),
        "data": tuple(SECRET.encode()),
        "sizes": (1, 2.5),
    }
    shown = GuestTexts().exported(evolve(SPAN, attributes=lists), ORIGIN)
    assert shown.attributes == {
        "args": "redacted (2 values)",
        "data": "redacted (16 values)",
        "sizes": (1, 2.5),
    }


def test_names_that_arguments_may_have_are_harmless_only_where_none_are() -> None:
    texts = {
        "level": "INFO",
        "target": "kata_agent",
        "mod": "rpc.rs",
        "code.filepath": "src/rpc.rs",
    }
    shown = GuestTexts().exported(
        evolve(
            SPAN,
            attributes=texts,
            events=(SpanEvent(name="x", time_ns=1, attributes=texts),),
            links=(SpanLink(context=OTHER, attributes=texts),),
        ),
        ORIGIN,
    )
    kept = [
        {name for name, value in one.items() if value == texts[name]}
        for one in (shown.attributes, shown.events[0].attributes, shown.links[0].attributes)
    ]
    assert kept == [{"mod", "code.filepath"}, {"level", "target", "code.filepath"}, set()]


def test_sizes_are_of_utf_8() -> None:
    shown = GuestTexts().exported(evolve(SPAN, attributes={"x": "ü"}), ORIGIN)
    assert shown.attributes == {"x": "redacted (2 bytes)"}


def test_a_span_without_a_message_gets_none() -> None:
    assert GuestTexts().exported(evolve(SPAN, status_message=""), ORIGIN).status_message == ""


def test_what_is_exported_of_one_span_is_bounded_and_the_rest_counts_as_dropped() -> None:
    many = {f"{number}" + "x" * 1000: number for number in range(1000)}
    long = {"mod": "x" * (1 << 20)}
    for attributes in (many, long):
        for dumps in (False, True):
            large = evolve(SPAN, attributes=attributes, dropped_attributes=1)
            shown = GuestTexts(dumps=dumps).exported(large, ORIGIN)
            assert size_of(shown) <= MAX_SPAN_BYTES
            assert shown.attributes
            lost = len(attributes) - len(shown.attributes)
            assert shown.dropped_attributes == 1 + lost
