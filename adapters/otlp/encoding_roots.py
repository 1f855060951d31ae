"""Root spans of slices, one at a time: there is one for many spans."""

from collections.abc import Iterator, Sequence

from attrs import define, field

from ...domain.model.span_attributes import root_name, slice_attributes, task_attributes
from ...domain.model.spans import Int32
from ...domain.model.traces import SessionTrace, TracedBatch
from .encoding_messages import (
    KIND_INTERNAL,
    SPAN_ATTRIBUTE,
    attributes,
    delimited,
    link,
    root_id,
    text,
    times,
    trace_id,
)


@define
class TaskAttributes:
    """What spans say of who did it; lives as long as a batch, whose `commands` it knows."""

    commands: Sequence[str]
    _known: dict[tuple[int, int, int], bytes] = field(factory=dict)

    def encoded(self, pid: Int32, tid: Int32, command: Int32) -> list[bytes]:
        """Encode the attributes of tasks, given in columns."""
        known = self._known
        tasks = list(zip(pid.tolist(), tid.tolist(), command.tolist(), strict=True))
        for one in tasks:
            if one not in known:
                described = task_attributes(one[0], one[1], self.commands[one[2]])
                known[one] = attributes(SPAN_ATTRIBUTE, described)
        return [known[one] for one in tasks]


def encoded_roots(
    traced: TracedBatch, session: SessionTrace, tasks: TaskAttributes
) -> Iterator[bytes]:
    """Encode the root span of each slice as `ScopeSpans` has it."""
    batch, slices = traced.spans, traced.slices
    linked, of_session = link(session), b""
    for number, task in enumerate(tasks.encoded(slices.pid, slices.tid, slices.command)):
        summed = slice_attributes(slices, number)
        if not number:
            own = task_attributes(0, 0, "") | summed
            of_session = attributes(
                SPAN_ATTRIBUTE,
                {name: value for name, value in session.attributes.items() if name not in own},
            )
        yield delimited(
            2,
            b"".join(
                (
                    trace_id(slices, number),
                    delimited(2, root_id(slices, number)),
                    text(5, root_name(batch, slices, number)),
                    KIND_INTERNAL,
                    times(int(slices.start_ns[number]), int(slices.end_ns[number])),
                    of_session,
                    task,
                    attributes(SPAN_ATTRIBUTE, summed),
                    linked,
                )
            ),
        )
