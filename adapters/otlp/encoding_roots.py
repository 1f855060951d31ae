"""Root spans of slices, one at a time: there is one for many spans."""

from collections.abc import Sequence

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
    slice_ids,
    text,
    times,
)

TASKS_KEPT = 32_768


@define
class TaskAttributes:
    """What spans say of who did it; forgets when it knows too many."""

    _known: dict[tuple[int, int, str], bytes] = field(factory=dict)

    def encoded(
        self, commands: Sequence[str], pid: Int32, tid: Int32, command: Int32
    ) -> list[bytes]:
        """Encode the attributes of tasks, given in columns; `command` counts in `commands`."""
        known = self._known
        if len(known) > TASKS_KEPT:
            known.clear()
        names = [commands[one] for one in command.tolist()]
        tasks = list(zip(pid.tolist(), tid.tolist(), names, strict=True))
        for one in tasks:
            if one not in known:
                known[one] = attributes(SPAN_ATTRIBUTE, task_attributes(*one))
        return [known[one] for one in tasks]


def encoded_roots(traced: TracedBatch, session: SessionTrace, tasks: TaskAttributes) -> list[bytes]:
    """Encode the root span of each slice as `ScopeSpans` has it; there is at least one."""
    batch, slices = traced.spans, traced.slices
    own = task_attributes(0, 0, "") | slice_attributes(slices, 0)
    of_session = {name: value for name, value in session.attributes.items() if name not in own}
    alike = attributes(SPAN_ATTRIBUTE, of_session) + link(session) + KIND_INTERNAL
    columns = zip(
        *slice_ids(slices),
        slices.start_ns.tolist(),
        slices.end_ns.tolist(),
        tasks.encoded(batch.commands, slices.pid, slices.tid, slices.command),
        strict=True,
    )
    return [
        delimited(
            2,
            b"".join(
                (
                    trace,
                    delimited(2, root),
                    text(5, root_name(batch, slices, number)),
                    times(start_ns, end_ns),
                    alike,
                    task,
                    attributes(SPAN_ATTRIBUTE, slice_attributes(slices, number)),
                )
            ),
        )
        for number, (trace, root, start_ns, end_ns, task) in enumerate(columns)
    ]
