"""Both encodings of an agent's span come to the same, and what is none is refused with its reason.

The vectors were written by `serde_json` and `bincode` themselves.
"""

import json
import math
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.guests.agent_span import (
    CLOCK_SET_BACK,
    MAX_VALUES,
    AgentSpan,
    Malformation,
    MalformedAgentSpan,
)
from container_tracer.domain.model.guests.agent_span_reading import read_agent_span
from container_tracer.domain.model.single_span import (
    SingleSpan,
    SingleSpanKind,
    SpanEvent,
    SpanLink,
    SpanStatus,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.fakes.agent_span import agent_bincode, agent_json

VECTORS = json.loads((Path(__file__).parents[4] / "data/kata/span.json").read_text())
JSON = VECTORS["json"].encode()
BINCODE = bytes.fromhex(VECTORS["bincode_hex"])
VARIANTS = json.loads((Path(__file__).parents[4] / "data/kata/variants.json").read_text())
ENCODINGS = [agent_json, agent_bincode]

Document = dict[str, Any]


def sent(**changes: Any) -> AgentSpan:
    span = SingleSpan(
        name="wait", trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, started_ns=7, ended_ns=9
    )
    return AgentSpan(span=evolve(span, **changes), resource={})


def refusal(payload: bytes) -> Malformation:
    with pytest.raises(MalformedAgentSpan) as caught:
        read_agent_span(payload)
    return caught.value.reason


def changed(change: Callable[[Document], object]) -> bytes:
    """Return the vector in JSON with something done to it."""
    document = json.loads(JSON)
    change(document)
    return json.dumps(document).encode()


class TestVectors:
    @pytest.mark.parametrize("payload", [JSON, BINCODE], ids=["json", "bincode"])
    def test_every_field_is_read(self, payload: bytes) -> None:
        read = read_agent_span(payload)
        (event,) = read.span.events
        not_a_number = event.attributes["nan"]
        assert isinstance(not_a_number, float)
        assert math.isnan(not_a_number)
        expected_event = SpanEvent(
            name="hello",
            time_ns=1_700_000_000_123_456_789,
            attributes={
                "level": "INFO",
                "b": True,
                "f": 1.5,
                "nan": not_a_number,
                "arr": (1, -2),
            },
        )
        link = SpanLink(
            context=SpanContext(
                trace_id=(7).to_bytes(16, "big"),
                span_id=(9).to_bytes(8, "big"),
                sampled=False,
                trace_state="k=v",
            )
        )
        assert read.span == SingleSpan(
            name="create_container",
            kind=SingleSpanKind.INTERNAL,
            trace_id=bytes(range(1, 17)),
            span_id=bytes(range(0x11, 0x19)),
            started_ns=1_700_000_000_123_456_789,
            ended_ns=1_700_000_001_123_456_794,
            attributes={"busy_ns": 42},
            events=(expected_event,),
            links=(link,),
        )
        assert read.resource == {"service.name": "unknown_service"}

    def test_the_fake_agent_writes_what_the_real_one_does_byte_for_byte(self) -> None:
        read = read_agent_span(BINCODE)
        assert agent_json(read) == JSON
        assert agent_bincode(read) == BINCODE


BARE = SingleSpan(
    name="",
    kind=SingleSpanKind.SERVER,
    trace_id=b"\xff" * 16,
    span_id=b"\xff" * 8,
    parent_span_id=bytes(7) + b"\1",
    started_ns=0,
    ended_ns=(1 << 63) - 1,
    status=SpanStatus.OK,
)
FULL = SingleSpan(
    name='héllo "\\\n\0\U0001f40b\u2028',
    kind=SingleSpanKind.CLIENT,
    trace_id=bytes(15) + b"\1",
    span_id=bytes(7) + b"\2",
    parent_span_id=b"\xff" * 8,
    trace_state="rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
    started_ns=1_700_000_000_999_999_999,
    ended_ns=1_700_000_001_000_000_000,
    attributes={
        "yes": True,
        "no": False,
        "low": -(1 << 63),
        "high": (1 << 63) - 1,
        "one": 1.0,
        "tiny": 5e-324,
        "huge": 1.7976931348623157e308,
        "minus zero": -0.0,
        "text": '{"json": [1, 2]}',
        "empty": "",
        "bools": (True, False),
        "ints": (-1, 0, 1),
        "floats": (0.1, 1e21, -2.5e-9),
        "texts": ("a", ""),
        "none": (),
    },
    events=(
        SpanEvent(name="first", time_ns=1_700_000_000_000_000_001, dropped_attributes=3),
        SpanEvent(
            name="twice",
            time_ns=1_700_000_000_000_000_002,
            attributes={"target": "agent"},
            dropped_attributes=1,
        ),
    ),
    links=(
        SpanLink(
            context=SpanContext(trace_id=b"\xff" * 16, span_id=b"\xff" * 8),
            attributes={"why": 5},
            dropped_attributes=6,
        ),
    ),
    status=SpanStatus.ERROR,
    status_message="no such file",
    dropped_attributes=7,
    dropped_events=4,
    dropped_links=6,
)


class TestVariants:
    """Whatever each field may be, as `serde` writes it; `variants.rs` beside the file made it."""

    @pytest.mark.parametrize(("number", "expected"), [(0, BARE), (1, FULL)], ids=["bare", "full"])
    @pytest.mark.parametrize("encoding", ["json", "bincode_hex"])
    def test_they_are_all_read(self, encoding: str, number: int, expected: SingleSpan) -> None:
        text = VARIANTS[number][encoding]
        read = read_agent_span(bytes.fromhex(text) if "hex" in encoding else text.encode())
        attributes = dict(read.span.attributes)
        # JSON has no infinity.
        infinite = attributes.pop("infinite", math.inf)
        assert repr(infinite) == ("nan" if (encoding, number) == ("json", 1) else "inf")
        assert evolve(read.span, attributes=attributes) == expected
        types = {name: type(value) for name, value in attributes.items()}
        assert types == {name: type(value) for name, value in expected.attributes.items()}
        resource = {"service.name": "unknown_service", "build": 3}
        assert read.resource == (resource if expected is FULL else {})

    @pytest.mark.parametrize("number", [0, 1])
    def test_none_is_read_that_ends_too_soon(self, number: int) -> None:
        whole = bytes.fromhex(VARIANTS[number]["bincode_hex"])
        text = VARIANTS[number]["json"].encode()
        assert {refusal(whole[:end]) for end in range(len(whole))} == {Malformation.CUT_SHORT}
        early = {refusal(text[:end]) for end in range(1, len(text))}
        assert early <= {Malformation.UNREADABLE, Malformation.NOT_UNICODE}


class TestMeaning:
    @pytest.mark.parametrize("encode", ENCODINGS)
    @pytest.mark.parametrize("kind", SingleSpanKind)
    @pytest.mark.parametrize("status", SpanStatus)
    def test_kinds_and_states_are_mapped(
        self, encode: Callable[[AgentSpan], bytes], kind: SingleSpanKind, status: SpanStatus
    ) -> None:
        span = sent(kind=kind, status=status, status_message="why")
        assert read_agent_span(encode(span)) == span

    def test_numbers_of_kinds_and_states_are_those_of_the_rust_types(self) -> None:
        kinds = {"Client": 0, "Server": 1, "Producer": 2, "Consumer": 3, "Internal": 4}
        for name, number in kinds.items():
            word = changed(lambda it, name=name: it.update(span_kind=name))  # type: ignore[misc]
            patched = BINCODE[:35] + struct.pack("<I", number) + BINCODE[39:]
            assert read_agent_span(patched).span.kind is read_agent_span(word).span.kind

    @pytest.mark.parametrize("encode", ENCODINGS)
    def test_the_largest_and_smallest_of_everything_is_exact(
        self, encode: Callable[[AgentSpan], bytes]
    ) -> None:
        span = sent(
            trace_id=b"\xff" * 16,
            span_id=b"\xff" * 8,
            parent_span_id=b"\0" * 7 + b"\1",
            trace_state="a=1,b@c=2",
            started_ns=0,
            ended_ns=(1 << 63) - 1,
            attributes={
                "low": -(1 << 63),
                "high": (1 << 63) - 1,
                "tiny": 5e-324,
                "text": "ü \U0001f40b \0 \" \\ { ['",
                "none": (),
                "flags": (True, False),
                "floats": (0.5, -1e300),
                "texts": ("", "x"),
            },
            dropped_attributes=(1 << 32) - 1,
            dropped_events=3,
            dropped_links=4,
        )
        read = read_agent_span(encode(span))
        assert read == span
        assert list(map(type, read.span.attributes["flags"])) == [bool, bool]  # type: ignore[arg-type]

    @pytest.mark.parametrize("encode", ENCODINGS)
    def test_what_may_be_missing_is_nothing(self, encode: Callable[[AgentSpan], bytes]) -> None:
        read = read_agent_span(encode(sent()))
        assert (read.span.events, read.span.links, read.resource) == ((), (), {})
        assert read.span.parent_span_id == b""

    def test_keys_that_are_not_known_are_ignored_and_options_may_be_left_out(self) -> None:
        def change(it: Document) -> None:
            it["instrumentation_lib"] = {"name": "kata-agent"}
            it["span_context"]["new"] = [1]
            del it["resource"], it["span_context"]["trace_state"], it["events"]["queue"]
            del it["attributes"]["evict_list"], it["attributes"]["max_len"]

        read = read_agent_span(changed(change))
        assert (read.resource, read.span.events) == ({}, ())

    def test_a_span_in_bincode_may_begin_like_json(self) -> None:
        span = sent(trace_id=b"\x01" * 14 + b'"{')
        payload = agent_bincode(span)
        assert payload.startswith(b'{"')
        assert read_agent_span(payload) == span

    @pytest.mark.parametrize("encode", ENCODINGS)
    def test_a_clock_that_was_set_back_costs_no_span(
        self, encode: Callable[[AgentSpan], bytes]
    ) -> None:
        read = read_agent_span(encode(sent(started_ns=100, ended_ns=30))).span
        assert (read.started_ns, read.ended_ns) == (100, 100)
        assert read.attributes == {CLOCK_SET_BACK: 70}

    @pytest.mark.parametrize("encode", ENCODINGS)
    def test_an_agent_cannot_say_what_only_we_say(
        self, encode: Callable[[AgentSpan], bytes]
    ) -> None:
        forged = {"container_tracer.synthetic": True, "busy_ns": 1, CLOCK_SET_BACK: 2}
        read = read_agent_span(encode(sent(attributes=forged, dropped_attributes=3))).span
        assert (read.attributes, read.dropped_attributes) == ({"busy_ns": 1}, 5)

    def test_a_link_that_leads_nowhere_counts_as_dropped(self) -> None:
        def change(it: Document) -> None:
            it["links"]["queue"][0]["span_context"]["span_id"] = 0
            it["links"]["dropped_count"] = 2

        read = read_agent_span(changed(change)).span
        assert (read.links, read.dropped_links) == ((), 3)

    def test_of_attributes_of_an_event_with_one_name_the_first_counts(self) -> None:
        def change(it: Document) -> None:
            pairs = it["events"]["queue"][0]["attributes"]
            pairs[:] = [{"key": "x", "value": {"I64": number}} for number in (1, 2, 3)]

        (event,) = read_agent_span(changed(change)).span.events
        assert (event.attributes, event.dropped_attributes) == ({"x": 1}, 2)

    def test_a_trace_state_that_breaks_the_rules_is_left_out(self) -> None:
        def change(it: Document) -> None:
            it["span_context"]["trace_state"] = [["A B", "c,d"]]

        assert read_agent_span(changed(change)).span.trace_state == ""

    def test_a_trace_state_of_megabytes_is_left_out_at_once(self) -> None:
        def change(it: Document) -> None:
            it["span_context"]["trace_state"] = [["k", "," * (8 << 20)]]

        began = time.process_time()
        assert read_agent_span(changed(change)).span.trace_state == ""
        assert time.process_time() - began < 1


def _set(*path: str | int, to: object) -> Callable[[Document], object]:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to

    return change


def _busy(value: object) -> Callable[[Document], object]:
    return _set("attributes", "map", "busy_ns", to=value)


WRONG = [
    (_set("span_context", "trace_id", to=0), Malformation.NO_ID),
    (_set("span_context", "span_id", to=0), Malformation.NO_ID),
    (_set("span_context", "trace_id", to=1 << 128), Malformation.OUT_OF_RANGE),
    (_set("span_context", "span_id", to=-1), Malformation.OUT_OF_RANGE),
    (_set("span_context", "span_id", to=1.0), Malformation.WRONG_TYPE),
    (_set("span_context", "span_id", to=True), Malformation.WRONG_TYPE),
    (_set("span_context", "span_id", to="12"), Malformation.WRONG_TYPE),
    (_set("span_context", "trace_flags", to=256), Malformation.OUT_OF_RANGE),
    (_set("span_context", "trace_state", to=[["k"]]), Malformation.WRONG_TYPE),
    (_set("span_context", "trace_state", to={}), Malformation.WRONG_TYPE),
    (_set("span_context", to=[]), Malformation.WRONG_TYPE),
    (lambda it: it.pop("parent_span_id"), Malformation.MISSING_FIELD),
    (lambda it: it["links"].pop("dropped_count"), Malformation.MISSING_FIELD),
    (_set("span_kind", to="Other"), Malformation.UNKNOWN_VARIANT),
    (_set("span_kind", to=4), Malformation.WRONG_TYPE),
    (_set("status_code", to="Fine"), Malformation.UNKNOWN_VARIANT),
    (_set("name", to=None), Malformation.WRONG_TYPE),
    (_set("name", to="\ud800"), Malformation.NOT_UNICODE),
    (_set("start_time", "secs_since_epoch", to=-1), Malformation.OUT_OF_RANGE),
    (_set("start_time", "secs_since_epoch", to=1 << 34), Malformation.OUT_OF_RANGE),
    (_set("start_time", "nanos_since_epoch", to=10**9), Malformation.OUT_OF_RANGE),
    (_set("attributes", "dropped_count", to=1 << 32), Malformation.OUT_OF_RANGE),
    (_busy({"I64": 1 << 63}), Malformation.OUT_OF_RANGE),
    (_busy({"I64": 1.5}), Malformation.WRONG_TYPE),
    (_busy({"Bool": 1}), Malformation.WRONG_TYPE),
    (_busy({"F64": "1"}), Malformation.WRONG_TYPE),
    (_busy({"String": None}), Malformation.WRONG_TYPE),
    (_busy({"Bytes": []}), Malformation.UNKNOWN_VARIANT),
    (_busy({"Array": {"Array": []}}), Malformation.UNKNOWN_VARIANT),
    (_busy({"Array": {"I64": [1, "2"]}}), Malformation.WRONG_TYPE),
    (_busy({"Array": {"I64": {}}}), Malformation.WRONG_TYPE),
    (_busy({"Array": [1]}), Malformation.WRONG_TYPE),
    (_busy({}), Malformation.WRONG_TYPE),
    (_busy({"I64": 1, "F64": 1}), Malformation.WRONG_TYPE),
    (_busy({"Array": {"I64": [1] * (MAX_VALUES + 1)}}), Malformation.TOO_MANY_VALUES),
    (_set("events", "queue", 0, to=3), Malformation.WRONG_TYPE),
    (_set("events", "queue", 0, "attributes", 0, to={"key": "x"}), Malformation.WRONG_TYPE),
    (_set("links", "queue", 0, "span_context", "trace_id", to=-1), Malformation.OUT_OF_RANGE),
    (_set("resource", to=[]), Malformation.WRONG_TYPE),
]


class TestWrongJson:
    @pytest.mark.parametrize(("change", "reason"), WRONG)
    def test_what_is_wrong_is_named(
        self, change: Callable[[Document], object], reason: Malformation
    ) -> None:
        assert refusal(changed(change)) is reason

    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            (b"", Malformation.CUT_SHORT),
            (b"{}", Malformation.MISSING_FIELD),
            (JSON[:-1], Malformation.UNREADABLE),
            (JSON + b"{}", Malformation.UNREADABLE),
            (JSON.replace(b'{"I64":42}', b'{"F64":NaN}'), Malformation.UNREADABLE),
            (JSON.replace(b'{"I64":42}', b'{"F64":-Infinity}'), Malformation.UNREADABLE),
            (JSON.replace(b'{"I64":42}', b'{"F64":1e999}'), Malformation.OUT_OF_RANGE),
            (JSON.replace(b'{"I64":42}', b'{"I64":42,"I64":42}'), Malformation.DUPLICATE_KEY),
            (JSON.replace(b'{"I64":42}', b'{"I64":' + b"9" * 5000 + b"}"), Malformation.UNREADABLE),
            (JSON.replace(b"create", b"\xff"), Malformation.NOT_UNICODE),
            (b'{"a":' + b"[" * 200_000, Malformation.UNREADABLE),
            (b'{"a":' * 20_000, Malformation.UNREADABLE),
        ],
        ids=lambda it: "" if isinstance(it, bytes) else it,
    )
    def test_what_is_no_json_is_refused(self, payload: bytes, reason: Malformation) -> None:
        assert refusal(payload) is reason

    @pytest.mark.parametrize("filling", [b"[", b" ", b"1,", b"x"])
    def test_one_without_any_text_is_refused(self, filling: bytes) -> None:
        assert refusal(b"{" + filling * 400_000) is Malformation.TOO_MANY_VALUES

    @pytest.mark.parametrize(
        "many", [b"[],", b'"",', b'{"a":0},', b'"\\"', b'"\\', b'"a":[{"b":"c"}],']
    )
    def test_a_document_that_would_become_very_large_is_refused_at_once(self, many: bytes) -> None:
        began = time.process_time()
        hostile = b'{"a":[' + many * ((16 << 20) // len(many))
        assert refusal(hostile) in (Malformation.TOO_MANY_VALUES, Malformation.UNREADABLE)
        assert time.process_time() - began < 5

    def test_one_large_text_is_none_of_these(self) -> None:
        dump = '{"a": [1, "b\\n"]}, ' * 100_000
        read = read_agent_span(agent_json(sent(attributes={"req": dump})))
        assert read.span.attributes == {"req": dump}


def at(offset: int, layout: str, value: object) -> bytes:
    """Return the vector in bincode with something else in one place."""
    patch = struct.pack(layout, value)
    return BINCODE[:offset] + patch + BINCODE[offset + len(patch) :]


NAME_AT = 39
STARTED_AT = NAME_AT + 8 + len("create_container")
MAP_AT = STARTED_AT + 24
VALUE_AT = MAP_AT + 8 + 8 + len("busy_ns")


class TestWrongBincode:
    @pytest.mark.parametrize(
        ("payload", "reason"),
        [
            (BINCODE + b"\0", Malformation.TRAILING_BYTES),
            (at(0, "16s", b""), Malformation.NO_ID),
            (at(16, "<Q", 0), Malformation.NO_ID),
            (at(25, "B", 2), Malformation.OUT_OF_RANGE),
            (at(26, "B", 2), Malformation.OUT_OF_RANGE),
            (at(35, "<I", 5), Malformation.UNKNOWN_VARIANT),
            (at(NAME_AT, "<Q", 1 << 63), Malformation.CUT_SHORT),
            (at(NAME_AT + 8, "B", 0xFF), Malformation.NOT_UNICODE),
            (at(STARTED_AT, "<Q", (1 << 64) - 1), Malformation.OUT_OF_RANGE),
            (at(STARTED_AT + 8, "<I", 10**9), Malformation.OUT_OF_RANGE),
            (at(MAP_AT, "<Q", 1 << 62), Malformation.TOO_MANY_VALUES),
            (at(VALUE_AT, "<I", 5), Malformation.UNKNOWN_VARIANT),
            (at(VALUE_AT, "<I", 0), Malformation.OUT_OF_RANGE),
        ],
        ids=lambda it: "" if isinstance(it, bytes) else it,
    )
    def test_what_is_wrong_is_named(self, payload: bytes, reason: Malformation) -> None:
        assert refusal(payload) is reason

    def test_it_is_cut_short_wherever_it_ends(self) -> None:
        reasons = {refusal(BINCODE[:length]) for length in range(len(BINCODE))}
        assert reasons == {Malformation.CUT_SHORT}

    def test_an_attribute_that_is_there_twice_is_refused(self) -> None:
        entry = BINCODE[MAP_AT + 8 : VALUE_AT + 12]
        twice = struct.pack("<Q", 2) + entry + entry
        payload = BINCODE[:MAP_AT] + twice + BINCODE[VALUE_AT + 12 :]
        assert refusal(payload) is Malformation.DUPLICATE_KEY
