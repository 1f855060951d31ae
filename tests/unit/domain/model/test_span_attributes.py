"""What spans, roots and resources say in OpenTelemetry's words."""

import pytest
from attrs import evolve

from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.span_attributes import (
    Attributes,
    ServiceResource,
    root_attributes,
    root_name,
    span_attributes,
    span_error,
)
from container_tracer.domain.model.spans import SpanArgument, SpanKind, SpanOutcome
from container_tracer.domain.model.traces import SessionTrace, cut
from container_tracer.fakes.spans import LONE, NOON_NS, OPENAT, SWITCH, WEB, FakeSpan, span_batch

TASK: Attributes = {"process.pid": 100, "thread.id": 101, "process.command": "nginx"}
RESOURCE = ServiceResource(service_version="1.2", host_name="host", node="n1")
MMAP = SpanKind("mmap", (SpanArgument("len", "size_t", int),), result_text=hex)


def described(span: FakeSpan) -> Attributes:
    return span_attributes(span_batch(span), 0)


def test_a_span_says_whose_it_is_and_its_arguments_and_result() -> None:
    assert list(described(FakeSpan(result=5)).items()) == [
        *TASK.items(),
        ("syscall.argument.fd", 3),
        ("syscall.argument.buf", "0x7ffe00001000"),
        ("syscall.argument.count", 4096),
        ("syscall.result", 5),
    ]


def test_arguments_and_result_are_named_after_the_category() -> None:
    assert described(FakeSpan(kind=SWITCH, arguments=(7,), result=1)) == {
        **TASK,
        'sched.argument.odd "argument"': 7,
        "sched.result": 1,
    }


def test_an_error_keeps_its_number_and_gets_its_name() -> None:
    span = FakeSpan(kind=OPENAT, arguments=(0, 0), result=-2)
    assert described(span)["syscall.result"] == -2
    assert described(span)["error.type"] == span_error(span_batch(span), 0) == "ENOENT"


@pytest.mark.parametrize("result", [0, 1, -4096, -(2**63), 2**63 - 1, None])
def test_what_is_no_error_has_no_error(result: int | None) -> None:
    span = FakeSpan(result=result)
    assert span_error(span_batch(span), 0) == ""
    assert "error.type" not in described(span)


def test_results_that_are_addresses_are_text_and_their_errors_are_numbers() -> None:
    good = FakeSpan(kind=MMAP, arguments=(1,), result=0x7F00_0000_1000)
    assert described(good)["syscall.result"] == "0x7f0000001000"
    assert described(evolve(good, result=-12))["syscall.result"] == -12
    assert described(evolve(good, result=0))["syscall.result"] == "0x0"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [(2**63 - 1, 2**63 - 1), (2**63, "9223372036854775808"), (2**64 - 1, str(2**64 - 1))],
)
def test_numbers_that_do_not_fit_63_bits_become_text(raw: int, shown: int | str) -> None:
    assert described(FakeSpan(arguments=(1, 1, raw)))["syscall.argument.count"] == shown


def test_a_call_that_was_not_seen_to_begin_has_no_arguments() -> None:
    span = FakeSpan(arguments=None, result=5, outcome=SpanOutcome.BEGAN_BEFORE)
    incomplete = {"container_tracer.incomplete": "began before the trace"}
    assert described(span) == {**TASK, "syscall.result": 5, **incomplete}


@pytest.mark.parametrize("outcome", SpanOutcome)
def test_only_what_is_incomplete_says_so(outcome: SpanOutcome) -> None:
    said = described(FakeSpan(outcome=outcome)).get("container_tracer.incomplete", "")
    assert said == (outcome.explanation if outcome.incomplete else "")


def test_a_root_says_what_its_session_says_and_sums_up_its_slice() -> None:
    session = SessionTrace.of("42", started_ns=NOON_NS, name="why", attributes={"node": "n1"})
    spans = [FakeSpan(), FakeSpan(result=-2), FakeSpan(result=None), FakeSpan(tid=7, command="sh")]
    traced = cut(span_batch(*spans), session)
    names = [root_name(traced.spans, traced.slices, number) for number in (0, 1)]
    assert names == ["sh 7", "nginx 101"]
    assert root_attributes(traced.spans, traced.slices, 1, session) == {
        "node": "n1",
        **TASK,
        "container_tracer.spans": 3,
        "container_tracer.failed": 1,
        "container_tracer.events": 5,
    }


def test_a_pod_of_kubernetes_is_described_as_one() -> None:
    container = evolve(WEB, pod_uid="u1", image="nginx:1", runtime="containerd")
    assert RESOURCE.of(container) == {
        "service.name": "container-tracer",
        "service.version": "1.2",
        "host.name": "host",
        "k8s.node.name": "n1",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-0",
        "k8s.pod.uid": "u1",
        "k8s.container.name": "nginx",
        "container.name": "nginx",
        "container.id": "c0ffee",
        "container.image.name": "nginx:1",
        "container.runtime.name": "containerd",
    }


def test_a_container_without_kubernetes_is_no_pod() -> None:
    described = ServiceResource().of(LONE)
    assert described == {"service.name": "container-tracer", "container.name": "builder"}


def test_tags_are_on_every_resource_as_they_were_given_and_nothing_else_is_empty() -> None:
    tagged = ServiceResource(tags={"team": "core", "empty": ""})
    tags = {"team": "core", "empty": ""}
    assert tagged.attributes == {"service.name": "container-tracer", **tags}
    assert tagged.of(Container(name="c", pod="c"))["team"] == "core"


def test_what_the_monitor_of_a_virtual_machine_did_says_so() -> None:
    kata = evolve(WEB, isolated=True)
    assert RESOURCE.of(kata) == {**RESOURCE.of(WEB), "container_tracer.traced": "vmm"}
    assert "container_tracer.traced" not in RESOURCE.of(WEB)
