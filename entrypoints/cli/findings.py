"""Findings on a page: a sentence each, what it means, and how it is mended."""

import textwrap
from collections.abc import Iterable, Sequence

from ...domain.model.diagnosis.finding import Finding, Verdict, counted, prevents_tracing
from ...domain.model.quoting import printable
from .table import styled

_MARKS = {
    Verdict.OK: ("ok", "good"),
    Verdict.INFO: ("info", "dim"),
    Verdict.WARNING: ("warning", "warn"),
    Verdict.PROBLEM: ("PROBLEM", "bad"),
}
_MARK_CELLS = 9
_SMALLEST_TEXT = 20


def finding_lines(
    findings: Iterable[Finding], *, width: int | None, colour: bool = False
) -> list[str]:
    """Lay findings out in their order; in a terminal of `width` cells no sentence is cut.

    Commands stay whole, on a line of their own, so that they can be copied.
    """
    return [line for one in findings for line in _lines(one, width, colour=colour)]


def closing_line(findings: Sequence[Finding]) -> str:
    """Sum up: can this be traced, and what is there to read above."""
    problems = sum(one.verdict is Verdict.PROBLEM for one in findings)
    warnings = sum(one.verdict is Verdict.WARNING for one in findings)
    beside = f"; {counted(warnings, 'warning')}" if warnings else ""
    if problems:
        return f"Tracing is not possible: {counted(problems, 'problem')}{beside}."
    return f"Tracing is possible{beside}."


def findings_document(findings: Sequence[Finding]) -> dict[str, object]:
    """Write findings as a document for programs."""
    return {
        "Possible": not prevents_tracing(findings),
        "Findings": [
            {
                "Subject": one.subject,
                "Verdict": one.verdict.value,
                "What": one.what,
                "Why": one.why,
                "Mend": one.mend,
            }
            for one in findings
        ],
    }


def _lines(finding: Finding, width: int | None, *, colour: bool) -> list[str]:
    mark, style = _MARKS[finding.verdict]
    texts = _fitted(finding.what, width)
    first = styled(f"{mark:<{_MARK_CELLS}}", style, colour=colour) + texts[0]
    lines = [first, *(_indented(text) for text in texts[1:])]
    if finding.why:
        whys = _fitted(finding.why, width)
        lines += [_indented(styled(why, "dim", colour=colour)) for why in whys]
    if finding.mend:
        mend = styled(printable(finding.mend), "name", colour=colour)
        lines.append(_indented(f"mend: {mend}"))
    return lines


def _fitted(sentence: str, width: int | None) -> list[str]:
    # Names of instances and reasons of servers are other people's words.
    text = printable(sentence)
    if width is None:
        return [text]
    cells = max(width - _MARK_CELLS, _SMALLEST_TEXT)
    return textwrap.wrap(text, cells, break_on_hyphens=False)


def _indented(text: str) -> str:
    return " " * _MARK_CELLS + text
