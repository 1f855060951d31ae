"""Bytes from a client become a request, or a sentence about why not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.errors import RequestError
from container_tracer.domain.model.labels import InvalidLabels
from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session_request import SessionRequest, UnknownSession
from container_tracer.entrypoints.rest.schema import (
    MalformedBody,
    parse_run,
    parse_session_id,
    parse_session_request,
)

SECOND = 10**9
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(
    [
        "pod",
        "container",
        "namespace",
        "labels",
        "vmm",
        "trace-hook",
        "trace-arguments",
        "trace-user-context",
        "run",
        "duration",
        "max-events",
        "sample-rate",
        "exporters",
        "wait-for-pods",
        "Run",
        "POD",
    ]
)


def request(**more: Any) -> SessionRequest:
    return parse_session_request(json.dumps({"trace-hook": "h", **more}).encode())


def assert_sentence(text: str) -> None:
    assert text[0].isupper()
    assert text[-1] == "."


def test_the_original_body_is_understood() -> None:
    body = {
        "pod": "jaeger*",
        "container": "*",
        "trace-hook": "trace_syscalls",
        "trace-arguments": "",
        "trace-user-context": "test",
    }
    assert parse_session_request(json.dumps(body).encode()) == SessionRequest(
        selector=ContainerSelector("jaeger*", "*"), hook="trace_syscalls", user_context="test"
    )


def test_everything_that_can_be_said_is_read() -> None:
    assert request(
        pod="p",
        container="c",
        namespace="n",
        labels={"app": "a"},
        run=True,
        duration="1.5m",
        **{
            "trace-arguments": "-s read",
            "max-events": 7,
            "sample-rate": 12.5,
            "exporters": ["console", "file"],
        },
    ) == SessionRequest(
        selector=ContainerSelector("p", "c", "n", {"app": "a"}),
        hook="h",
        arguments="-s read",
        run=True,
        duration_ns=90 * SECOND,
        max_events=7,
        sample_rate=SampleRate(12.5),
        exporters=("console", "file"),
    )


def test_labels_are_a_text_as_kubernetes_writes_it_or_exact() -> None:
    text = request(labels="app=web,!canary").selector
    assert text == ContainerSelector(labels="app = web, ! canary")
    assert request(labels={"app": "web"}).selector == request(labels="app=web").selector
    assert request(labels={"an app": "w b"}).selector.labels.matches({"an app": "w b"})
    assert request(labels="").selector == request(labels={}).selector == ContainerSelector()
    with pytest.raises(InvalidLabels, match="character 13"):
        request(labels="app=web, an app=x,")
    with pytest.raises(MalformedBody, match="at most 4096"):
        request(labels="a" * 4097)


def test_the_vmm_is_asked_for_or_not() -> None:
    assert request(vmm=True).vmm
    assert not request().vmm


def test_names_of_keys_are_read_without_regard_to_case() -> None:
    body = b'{"POD": "p", "Trace-Hook": "h", "RUN": true}'
    read = parse_session_request(body)
    assert (read.selector.pod, read.hook, read.run) == ("p", "h", True)


def test_without_exporters_it_is_the_node_that_chooses() -> None:
    assert request().exporters is None
    assert request(exporters=[]).exporters == ()


@pytest.mark.parametrize(
    ("given", "nanoseconds"),
    [
        (0, 0),
        (10, 10 * SECOND),
        (0.5, SECOND // 2),
        ("10s", 10 * SECOND),
        ("500ms", SECOND // 2),
        ("2m", 120 * SECOND),
        ("1.5m", 90 * SECOND),
        ("10", 10 * SECOND),
        ("0s", 0),
        ("1us", 1000),
    ],
)
def test_durations_are_seconds_or_have_a_unit(given: object, nanoseconds: int) -> None:
    assert request(duration=given).duration_ns == nanoseconds


@pytest.mark.parametrize(
    "given",
    [
        "s",
        "-1s",
        "1 s",
        "1d",
        "",
        "1e3s",
        "0.1ns",
        "1s2",
        "9" * 12 + "m",
        -1,
        -0.1,
        1e-12,
        1e300,
        10**400,
        True,
        [],
    ],
)
def test_a_duration_that_cannot_be_is_refused(given: object) -> None:
    with pytest.raises(MalformedBody, match="'duration' must be a number of seconds"):
        request(duration=given)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("pod", 1, "a string; it is an integer 1"),
        ("pod", None, "a string; it is null"),
        ("trace-arguments", ["-s"], "a string; it is an array"),
        ("run", "yes", "true or false; it is a string 'yes'"),
        ("run", 1, "true or false; it is an integer"),
        ("max-events", -1, "an integer from 0"),
        ("max-events", 1.0, "an integer from 0"),
        ("max-events", True, "an integer from 0"),
        ("max-events", 2**63, "an integer from 0"),
        ("labels", [], "a string, or an object whose values are strings"),
        ("vmm", 1, "true or false"),
        ("labels", {"app": 1}, "a string"),
        ("exporters", "console", "an array of strings"),
        ("exporters", [1], "a string"),
        ("wait-for-pods", "no", "true or false"),
        ("sample-rate", "10%", '(percent), "always" or "never"; it is a string \'10%\''),
        ("sample-rate", -1, "a number from 0 to 100"),
        ("sample-rate", 100.5, "a number from 0 to 100"),
        ("sample-rate", True, "a number from 0 to 100"),
        ("sample-rate", None, "a number from 0 to 100"),
        ("sample-rate", 10**400, "a number from 0 to 100"),
    ],
)
def test_a_wrong_type_names_the_key_and_what_it_must_be(
    key: str, value: object, expected: str
) -> None:
    with pytest.raises(MalformedBody) as raised:
        request(**{key: value})
    assert key in str(raised.value)
    assert expected in str(raised.value)


def test_an_unknown_key_is_named_with_those_that_are_known() -> None:
    with pytest.raises(MalformedBody, match="'containr' is unknown; known are: pod, container"):
        request(containr="c")


def test_a_session_needs_a_hook() -> None:
    for body in (b"{}", b'{"trace-hook": ""}'):
        with pytest.raises(MalformedBody, match="'trace-hook' is missing"):
            parse_session_request(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"trace-hook": "a", "trace-hook": "b"}',
        b'{"trace-hook": "a", "Trace-Hook": "a"}',
        b'{"trace-hook": "a", "labels": {"x": "1", "x": "2"}}',
    ],
)
def test_what_is_given_twice_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody, match="more than once"):
        parse_session_request(body)


def test_a_name_has_a_limit_so_that_matching_it_stays_cheap() -> None:
    assert request(pod="p" * 512).selector.pod == "p" * 512
    with pytest.raises(MalformedBody, match="at most 512"):
        request(pod="p" * 513)


def test_a_session_may_wait_for_pods() -> None:
    assert not request().wait_for_pods
    assert not request(**{"wait-for-pods": False}).wait_for_pods
    assert request(**{"Wait-For-Pods": True}).wait_for_pods


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no body"),
        (b"{", "not JSON"),
        (b"[]", "an array; it must be a JSON object"),
        (b"null", "null; it must be"),
        (b'"x"', "a string; it must be"),
        (b"{} {}", "not JSON"),
        (b'{"run": NaN}', "NaN is no JSON number"),
        (b'{"run": -Infinity}', "-Infinity is no JSON number"),
        (b'{"run": "\xff"}', "not UTF-8: bad byte at 9"),
        (b'\xef\xbb\xbf{"run": true}', "not JSON"),
        (b'{"run": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"run":' * 50_000, "nested too deeply"),
        (b"{}", "'run' is missing"),
        (b'{"run": true, "x": 1}', "'x' is unknown"),
    ],
)
def test_a_body_that_is_no_object_says_what_it_is(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedBody) as raised:
        parse_run(body)
    assert reason in str(raised.value)


def test_half_a_character_is_refused_before_anyone_must_write_it_down() -> None:
    with pytest.raises(MalformedBody, match="surrogate"):
        parse_session_request(b'{"trace-hook": "\\ud800"}')


def test_a_complaint_does_not_repeat_what_is_long() -> None:
    with pytest.raises(MalformedBody) as raised:
        request(**{"k" * 100_000: 1})
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("text", "session_id"),
    [("0", "0"), ("42", "42"), ("007", "7"), ("18446744073709551615", "18446744073709551615")],
)
def test_an_id_is_a_decimal_64_bit_number(text: str, session_id: str) -> None:
    assert parse_session_id(text) == session_id


@given(st.text())
def test_any_other_id_is_unknown(text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        with pytest.raises(UnknownSession):
            parse_session_id(text)


@given(st.binary())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for parse in (parse_session_request, parse_run):
        try:
            parse(body)
        except RequestError as error:
            assert_sentence(str(error))


@given(st.dictionaries(KEYS | st.text(), JSON))
def test_any_object_is_read_or_refused(value: dict[str, Any]) -> None:
    body = json.dumps({"trace-hook": "h", **value}).encode()
    try:
        read = parse_session_request(body)
    except RequestError as error:
        assert_sentence(str(error))
    else:
        str(read).encode()
