"""What spans say in OpenTelemetry's words, one span at a time.

This is the meaning that exporters share. One that encodes columns must come to the same.
Names are those of the semantic conventions where these have one.
"""

from collections.abc import Mapping
from typing import TypeAlias

from attrs import field, frozen

from .errnos import errno_name
from .pod import Container
from .single_span import AttributeValue
from .spans import SpanArgument, SpanBatch, SpanKind, SpanOutcome
from .traces import SessionTrace, Slices

Attributes: TypeAlias = dict[str, AttributeValue]

_INT64 = range(-(1 << 63), 1 << 63)


@frozen(kw_only=True)
class ServiceResource:
    """What all resources of a node have in common; `tags` are the operator's own."""

    service_name: str = "container-tracer"
    service_version: str = ""
    host_name: str = ""
    node: str = ""
    tags: Mapping[str, str] = field(factory=dict)

    @property
    def attributes(self) -> Attributes:
        """Describe the tracer itself: the resource of session spans."""
        named: Attributes = {
            "service.name": self.service_name,
            "service.version": self.service_version,
            "host.name": self.host_name,
            "k8s.node.name": self.node,
        }
        return {**_known(named), **self.tags}

    def of(self, container: Container) -> Attributes:
        """Describe a container: the resource of what it did.

        Only what Kubernetes runs is described as a pod; elsewhere a pod is a word of ours.
        """
        pod: Attributes = {
            "k8s.namespace.name": container.namespace,
            "k8s.pod.name": container.pod,
            "k8s.pod.uid": container.pod_uid,
            "k8s.container.name": container.name,
        }
        own: Attributes = {
            "container.name": container.name,
            "container.id": container.container_id,
            "container.image.name": container.image,
            "container.runtime.name": container.runtime,
        }
        # What runs in a virtual machine is out of sight: what is seen here is its monitor.
        seen: Attributes = {"container_tracer.traced": "vmm"} if container.isolated else {}
        in_kubernetes = container.namespace or container.pod_uid
        return self.attributes | _known((pod if in_kubernetes else {}) | own | seen)


def _known(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value}


def span_attributes(batch: SpanBatch, row: int) -> Attributes:
    """Describe one span; arguments and result are named after its kind's category.

    Integers beyond 63 bits and a sign, which OTLP and Jaeger cannot carry, become decimal text.
    """
    kind = batch.kinds[batch.kind[row]]
    outcome = SpanOutcome(batch.outcome[row])
    command = batch.commands[batch.command[row]]
    attributes = task_attributes(int(batch.pid[row]), int(batch.tid[row]), command)
    if batch.entered[row]:
        for argument, bits in zip(kind.arguments, batch.arguments[row].tolist(), strict=False):
            attributes[argument_name(kind, argument)] = argument_value(argument, bits)
    if batch.returned[row]:
        result = int(batch.result[row])
        attributes[result_name(kind)] = result_value(kind, result)
    return attributes | ending_attributes(outcome, span_error(batch, row))


def task_attributes(pid: int, tid: int, command: str) -> Attributes:
    """Describe who did it."""
    return {"process.pid": pid, "thread.id": tid, "process.command": command}


def argument_name(kind: SpanKind, argument: SpanArgument) -> str:
    """Name the attribute of an argument."""
    return f"{kind.category}.argument.{argument.name}"


def argument_value(argument: SpanArgument, bits: int) -> AttributeValue:
    """Show 64 raw bits as the argument says, if OTLP and Jaeger can carry that."""
    value = argument.render(bits)
    return value if isinstance(value, str) or value in _INT64 else str(value)


def result_name(kind: SpanKind) -> str:
    """Name the attribute of a result."""
    return f"{kind.category}.result"


def result_value(kind: SpanKind, result: int) -> AttributeValue:
    """Show a result: errors and plain numbers as numbers, all else as its kind says."""
    text = kind.result_text(result)
    return result if errno_name(result) or text == str(result) else text


def ending_attributes(outcome: SpanOutcome, error: str) -> Attributes:
    """Say what went wrong with a call, and with its record."""
    attributes: Attributes = {"error.type": error} if error else {}
    if outcome.incomplete:
        attributes["container_tracer.incomplete"] = outcome.explanation
    return attributes


def span_error(batch: SpanBatch, row: int) -> str:
    """Name the error a span ended with, or return the empty string: then its status is not set."""
    return errno_name(int(batch.result[row])) if batch.returned[row] else ""


def root_name(batch: SpanBatch, slices: Slices, number: int) -> str:
    """Name the root span of a slice: `nginx 4711`, after its task."""
    return f"{batch.commands[slices.command[number]]} {slices.tid[number]}"


def root_attributes(
    batch: SpanBatch, slices: Slices, number: int, session: SessionTrace
) -> Attributes:
    """Describe the root span of a slice; it can be searched for by what its session says."""
    command = batch.commands[slices.command[number]]
    return {
        **session.attributes,
        **task_attributes(int(slices.pid[number]), int(slices.tid[number]), command),
        **slice_attributes(slices, number),
    }


def slice_attributes(slices: Slices, number: int) -> Attributes:
    """Sum up a slice."""
    return {
        "container_tracer.spans": int(slices.count[number]),
        "container_tracer.failed": int(slices.failed[number]),
        "container_tracer.events": int(slices.events[number]),
    }
