"""Spans as text: lines of JSON, events for trace viewers, and words for people.

A batch turns into lists of text, one per span, column by column: what repeats (a command, a
container, the value of an argument) is worked out once per batch, so that a span costs a few
look-ups and one format. All JSON is ASCII, so it survives any stream.
"""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet

import numpy as np
from attrs import frozen

from .errnos import errno_name
from .pod import Container
from .quoting import json_string, viewer_string
from .spans import Int64, SpanArgument, SpanBatch, SpanOutcome
from .tags import NO_TAGS, Tags, tags_member

SECOND_NS = 1_000_000_000


@frozen(kw_only=True)
class ArgumentStyle:
    """How the arguments of one call are written; `absent` is for a call not seen to begin."""

    label: Callable[[str], str]
    value: Callable[[int | str], str]
    separator: str
    opening: str
    closing: str
    absent: str = ""


def json_lines(batch: SpanBatch, *, node: str = "", tags: Tags = NO_TAGS) -> list[str]:
    """One JSON object per span, without line ends.

    Keys: `time` (RFC 3339, UTC, nanoseconds), `start_ns`, `duration_ns`, `node`, `namespace`,
    `pod`, `container`, `container_id`, `vmm` (true, if it is what the container's VMM did),
    `tags` (object, if there are any), `pid`, `tid`, `command`, `name`, `arguments` (object, if the
    call was seen to begin), `result` (if it returned), `error` (errno name, if it failed),
    `incomplete` (why, if an end was not seen), `events` (kernel events it was made of).
    """
    containers, commands = batch.containers, batch.commands
    tagged = tags_member(tags, json_string)
    rows = zip(
        utc_times(batch.start_ns),
        batch.start_ns.tolist(),
        (batch.end_ns - batch.start_ns).tolist(),
        texts_of(batch.container.tolist(), lambda index: _place(containers[index], node) + tagged),
        batch.pid.tolist(),
        batch.tid.tolist(),
        texts_of(batch.command.tolist(), lambda index: json_string(commands[index])),
        texts_of(batch.kind.tolist(), lambda index: json_string(batch.kinds[index].name)),
        _details(batch, json_string),
        strict=True,
    )
    return [
        f'{{"time":"{time}","start_ns":{start},"duration_ns":{duration},{place},'
        f'"pid":{pid},"tid":{tid},"command":{command},"name":{name}{details}}}'
        for time, start, duration, place, pid, tid, command, name, details in rows
    ]


def trace_events(batch: SpanBatch, *, origin_ns: int = 0, tags: Tags = NO_TAGS) -> list[str]:
    """One complete event (`ph` X) of Chrome's trace event format per span, without separators.

    `ts` and `dur` are microseconds with three decimals, written from integers. `ts` counts from
    `origin_ns`, because viewers read it as a double: microseconds since 1970 are so many that
    only steps of 0.25 would be left, longer than many a call. `args` has the exact `start_ns`,
    `container`, `tags`, `command`, and from `arguments` on the keys of `json_lines`.
    """
    containers, commands, kinds = batch.containers, batch.commands, batch.kinds
    tagged = tags_member(tags, viewer_string)
    rows = zip(
        texts_of(
            batch.kind.tolist(),
            lambda index: (
                f'"cat":{viewer_string(kinds[index].category)},'
                f'"name":{viewer_string(kinds[index].name)}'
            ),
        ),
        microseconds(batch.start_ns - origin_ns),
        microseconds(batch.end_ns - batch.start_ns),
        batch.pid.tolist(),
        batch.tid.tolist(),
        batch.start_ns.tolist(),
        texts_of(
            batch.container.tolist(),
            lambda index: viewer_string(container_label(containers[index])) + tagged,
        ),
        texts_of(batch.command.tolist(), lambda index: viewer_string(commands[index])),
        _details(batch, viewer_string),
        strict=True,
    )
    return [
        f'{{"ph":"X",{kind},"ts":{ts},"dur":{dur},"pid":{pid},"tid":{tid},"args":{{'
        f'"start_ns":{start},"container":{container},"command":{command}{details}}}}}'
        for kind, ts, dur, pid, tid, start, container, command, details in rows
    ]


def task_names(batch: SpanBatch, known: AbstractSet[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """Metadata events (`ph` M) that name the processes and threads not `known` yet.

    Keys are (pid, tid) for `thread_name` and (pid, 0) for `process_name`, which reads
    `namespace/pod container: command`.
    """
    names: dict[tuple[int, int], str] = {}
    tasks = batch.pid.astype(np.int64) << 32 | batch.tid
    for row in np.sort(np.unique(tasks, return_index=True)[1]).tolist():
        pid, tid = int(batch.pid[row]), int(batch.tid[row])
        command = batch.commands[batch.command[row]]
        if (pid, tid) in known:
            continue
        if (pid, 0) not in known and (pid, 0) not in names:
            label = container_label(batch.containers[batch.container[row]])
            names[pid, 0] = _metadata("process_name", pid, pid, f"{label}: {command}")
        names[pid, tid] = _metadata("thread_name", pid, tid, command)
    return names


def calls(batch: SpanBatch) -> list[str]:
    """Each span as a person writes a call: `openat(dfd=-100, flags=O_RDONLY)`."""
    names = texts_of(batch.kind.tolist(), lambda index: batch.kinds[index].name)
    arguments = _arguments(batch, _PEOPLE)
    return [f"{name}{text}" for name, text in zip(names, arguments, strict=True)]


def utc_times(times_ns: Int64) -> list[str]:
    """Wall-clock times as RFC 3339 in UTC with nanoseconds: `2024-05-01T10:00:00.000000001Z`."""
    seconds, nanoseconds = np.divmod(times_ns, SECOND_NS)
    texts = texts_of(seconds.tolist(), lambda second: str(np.datetime64(second, "s")))
    return [f"{text}.{ns:09d}Z" for text, ns in zip(texts, nanoseconds.tolist(), strict=True)]


def microseconds(times_ns: Int64) -> list[str]:
    """Nanoseconds as microseconds with three decimals, exactly: 1234567 is `1234.567`."""
    whole, rest = np.divmod(np.abs(times_ns), 1000)
    signs = np.where(times_ns < 0, "-", "").tolist()
    rows = zip(signs, whole.tolist(), rest.tolist(), strict=True)
    return [f"{sign}{us}.{ns:03d}" for sign, us, ns in rows]


def container_label(container: Container) -> str:
    """Name a container for people: `namespace/pod container`, without what is empty or said.

    Of a container in a virtual machine only the VMM is traced, and that is said, too.
    """
    pod = f"{container.namespace}/{container.pod}" if container.namespace else container.pod
    vmm = " (VMM)" if container.isolated else ""
    return f"{pod}{vmm}" if container.name == container.pod else f"{pod} {container.name}{vmm}"


def texts_of(values: list[int], text_of: Callable[[int], str]) -> list[str]:
    """Give each value its text, worked out once however often the value comes."""
    texts = {value: text_of(value) for value in set(values)}
    return [texts[value] for value in values]


def _place(container: Container, node: str) -> str:
    fields = {
        "node": node,
        "namespace": container.namespace,
        "pod": container.pod,
        "container": container.name,
        "container_id": container.container_id,
    }
    place = ",".join(f'"{key}":{json_string(value)}' for key, value in fields.items())
    return f'{place},"vmm":true' if container.isolated else place


def _metadata(what: str, pid: int, tid: int, name: str) -> str:
    return (
        f'{{"ph":"M","name":"{what}","pid":{pid},"tid":{tid},'
        f'"args":{{"name":{viewer_string(name)}}}}}'
    )


def _details(batch: SpanBatch, quote: Callable[[str], str]) -> list[str]:
    """Return what not every span has, as JSON members with a comma before each."""
    ends = batch.outcome.astype(np.int64) * 4 + batch.entered * 2 + batch.returned
    rows = zip(
        _arguments(batch, _json_style(quote)),
        _results(batch),
        texts_of(ends.tolist(), _end),
        strict=True,
    )
    return [f"{arguments}{result}{end}" for arguments, result, end in rows]


def _results(batch: SpanBatch) -> list[str]:
    texts = [""] * len(batch)
    rows = np.flatnonzero(batch.returned)
    known = texts_of(batch.result[rows].tolist(), _result)
    for row, text in zip(rows.tolist(), known, strict=True):
        texts[row] = text
    return texts


def _result(result: int) -> str:
    error = errno_name(result)
    return f',"result":{result}' + (f',"error":"{error}"' if error else "")


def _end(code: int) -> str:
    outcome = SpanOutcome(code // 4)
    why = f',"incomplete":"{outcome.explanation}"' if outcome.incomplete else ""
    return f'{why},"events":{(code & 3).bit_count()}'


def _arguments(batch: SpanBatch, style: ArgumentStyle) -> list[str]:
    texts = [style.absent] * len(batch)
    for kind, rows in _entered_by_kind(batch):
        columns = [
            texts_of(batch.arguments[rows, index].tolist(), _argument(argument, style))
            for index, argument in enumerate(batch.kinds[kind].arguments)
        ]
        calls = zip(*columns, strict=True) if columns else (() for _ in rows)
        for row, values in zip(rows.tolist(), calls, strict=True):
            texts[row] = f"{style.opening}{style.separator.join(values)}{style.closing}"
    return texts


def _entered_by_kind(batch: SpanBatch) -> Iterator[tuple[int, Int64]]:
    rows = np.flatnonzero(batch.entered)
    rows = rows[np.argsort(batch.kind[rows], kind="stable")]
    kinds, starts = np.unique(batch.kind[rows], return_index=True)
    # strict=False: the split of no rows is one empty part.
    return zip(kinds.tolist(), np.split(rows, starts[1:]), strict=False)


def _argument(argument: SpanArgument, style: ArgumentStyle) -> Callable[[int], str]:
    label, value, render = style.label(argument.name), style.value, argument.render
    return lambda bits: f"{label}{value(render(bits))}"


def _json_style(quote: Callable[[str], str]) -> ArgumentStyle:
    return ArgumentStyle(
        label=lambda name: f"{quote(name)}:",
        value=lambda value: quote(value) if isinstance(value, str) else int.__repr__(value),
        separator=",",
        opening=',"arguments":{',
        closing="}",
    )


_PEOPLE = ArgumentStyle(
    label=lambda name: f"{name}=",
    value=str,
    separator=", ",
    opening="(",
    closing=")",
    absent="(?)",
)
