"""Containers that match but are not traced, and why."""

from collections.abc import Iterable

from ...client import Session
from .output import Output


def refusals(sessions: Iterable[Session]) -> list[str]:
    """Return the tracers' own sentences, which name the containers."""
    reasons = (each.values() for one in sessions for each in one.refused.values())
    return [reason for each in reasons for reason in each]


def note_refused(output: Output, sessions: Iterable[Session]) -> None:
    """Tell a person what is not traced."""
    for sentence in refusals(sessions):
        output.note(f"Not traced: {sentence}")
