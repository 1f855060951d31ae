"""The last words of a trace: what was seen, what was not, and why it is over."""

from collections.abc import Sequence

from ...client import End, Statistics
from .progress import Tally


def closing_lines(
    end: End | None, tally: Tally, outputs: Sequence[str], *, asked: bool
) -> list[str]:
    """Say what became of everything, and where it is; `asked` says that somebody ended it."""
    if end is None:
        return [f"{_count(tally.spans, 'span')} shown; the tracer did not say how it ended."]
    numbers = end.statistics
    lines = [f"{_seen(tally, numbers)}.", f"{_missed(tally, numbers)}."]
    why = "you asked for it" if asked else end.reason or end.state
    lines += [f"Ended: {why}."]
    lines += [f"Written: {one}" for one in outputs]
    if end.failed:
        lines.append(f"Failed: {end.error or end.state}")
    if tally.interruptions:
        lines.append(f"Not complete, the stream broke off: {_count(tally.interruptions, 'time')}.")
    if tally.failed_nodes:
        lines.append(f"Not complete, these nodes failed: {', '.join(tally.failed_nodes)}.")
    return lines


def _seen(tally: Tally, numbers: Statistics) -> str:
    parts = [f"{_count(tally.spans, 'span')} shown, of {_count(numbers.attributed, 'event')}"]
    if numbers.filtered_out:
        parts.append(f"filtered out: {_count(numbers.filtered_out, 'event')}")
    if numbers.sampled_out:
        parts.append(f"sampled out: {_count(numbers.sampled_out, 'event')}")
    if numbers.incomplete_spans:
        parts.append(f"incomplete: {_count(numbers.incomplete_spans, 'span')}")
    return "; ".join(parts)


def _missed(tally: Tally, numbers: Statistics) -> str:
    parts = [
        f"Lost in the kernel: {_count(tally.lost_events, 'event')}",
        f"not shown: {_count(tally.dropped_spans, 'span')}",
    ]
    if numbers.malformed:
        parts.append(f"unreadable: {_count(numbers.malformed, 'event')}")
    parts += [
        f"dropped by {name}: {_count(one.dropped, 'event')}"
        for name, one in numbers.exporters.items()
        if one.dropped
    ]
    return "; ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
