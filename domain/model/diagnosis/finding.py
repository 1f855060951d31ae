"""What a diagnosis consists of."""

from collections.abc import Iterable
from enum import StrEnum

from attrs import frozen


class Verdict(StrEnum):
    """How a finding bears on tracing; a problem prevents it."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at: what is so, why that matters, and a command that mends it.

    `what` and `why` are whole sentences; `why` and `mend` may be empty.
    """

    subject: str
    verdict: Verdict
    what: str
    why: str = ""
    mend: str = ""


def ok(subject: str, what: str) -> Finding:
    """Find nothing wrong."""
    return Finding(subject=subject, verdict=Verdict.OK, what=what)


def info(subject: str, what: str, *, why: str = "", mend: str = "") -> Finding:
    """Find something to know."""
    return Finding(subject=subject, verdict=Verdict.INFO, what=what, why=why, mend=mend)


def warning(subject: str, what: str, *, why: str, mend: str = "") -> Finding:
    """Find something that makes tracing worse, or dearer."""
    return Finding(subject=subject, verdict=Verdict.WARNING, what=what, why=why, mend=mend)


def problem(subject: str, what: str, *, why: str = "", mend: str = "") -> Finding:
    """Find something that prevents tracing."""
    return Finding(subject=subject, verdict=Verdict.PROBLEM, what=what, why=why, mend=mend)


def prevents_tracing(findings: Iterable[Finding]) -> bool:
    """Tell whether any of the findings is a problem."""
    return any(one.verdict is Verdict.PROBLEM for one in findings)


def counted(count: int, noun: str) -> str:
    """Write how many there are of something."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
