"""Events and calls as a person would write them down, to compare with columns."""

from collections.abc import Sequence

from attrs import frozen

from ..domain.model.calls import Calls
from ..domain.model.spans import SpanOutcome


@frozen(kw_only=True)
class TrueRow:
    """Whose an event is. `identity` is the task's as long as it lives, whatever its tid."""

    identity: int
    pid: int
    container: int
    command: str


@frozen(kw_only=True)
class TrueCall:
    """A call: `argument` is the first one where it was entered, `result` where it returned."""

    start: int
    end: int
    tid: int
    pid: int
    container: int
    command: str
    call: str
    outcome: SpanOutcome
    argument: int | None = None
    result: int | None = None


def true_calls(calls: Calls, commands: Sequence[str], names: Sequence[str]) -> list[TrueCall]:
    """Write calls out, one by one."""
    return [
        TrueCall(
            start=int(calls.start[row]),
            end=int(calls.end[row]),
            tid=int(calls.tid[row]),
            pid=int(calls.pid[row]),
            container=int(calls.container[row]),
            command=commands[calls.command[row]],
            call=names[calls.kind[row]],
            outcome=SpanOutcome(calls.outcome[row]),
            argument=int(calls.arguments[row, 0]) if calls.entered[row] else None,
            result=int(calls.result[row]) if calls.returned[row] else None,
        )
        for row in range(len(calls))
    ]
