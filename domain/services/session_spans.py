"""How a session begins and ends is a span, linked to the session's own, which is longer."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from attrs import frozen

from ..model.session import TraceSession
from ..model.single_span import AttributeValue
from ..model.trace_context import SpanContext
from .own_spans import OwnSpans
from .session_runs import SessionRun


@frozen(eq=False)
class SessionSpans:
    """Gives what happens to sessions its spans."""

    spans: OwnSpans

    @contextmanager
    def starting(
        self, session: TraceSession, caller: SpanContext | None
    ) -> Iterator[Callable[[SessionRun], None]]:
        """Have a span while a session starts; below it is the session's own, if he has a caller.

        Without one the session stays in the trace of whoever started it before, or made it. What
        is yielded is told of the run that has begun.
        """
        with self.spans.span("session start", attributes=_about(session)) as span:
            if caller:
                session.caller = span.told or caller
            yield lambda run: span.links.extend(run.deliveries.links)
            span.attributes |= _about(session)

    @contextmanager
    def stopping(self, run: SessionRun, reason: str) -> Iterator[None]:
        """Have a span while a run ends, for a reason."""
        about = {**_about(run.session), "container_tracer.reason": reason}
        links = run.deliveries.links
        with self.spans.span("session stop", attributes=about, links=links) as span:
            yield
            span.error = run.session.error


def _about(session: TraceSession) -> Mapping[str, AttributeValue]:
    return {
        "container_tracer.session": session.session_id,
        "container_tracer.hook": session.request.hook,
        "container_tracer.containers": len(session.containers),
    }
