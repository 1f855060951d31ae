"""Logs: structlog for us and for every library, one event a line, on stderr."""

import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ...domain.services.open_span import OpenSpan, current_span


def set_up_logs(*, verbose: bool = False, stream: TextIO | None = None) -> None:
    """Send every log line to a stream (stderr): JSON, or readable if it is a terminal.

    Call it once, early; again replaces what it did before.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(terminal=stream.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # Their debug lines are about selectors and loops, their info lines about nothing.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("grpc").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def ids_of(span: OpenSpan | None) -> Mapping[str, str]:
    """Return what log lines say of a span, so that both are found by each other."""
    if span is None:
        return {}
    return {"trace_id": span.context.trace_id.hex(), "span_id": span.context.span_id.hex()}


def _add_ids(_logger: Any, _method: str, event: EventDict) -> EventDict:  # noqa: ANN401
    event.update(ids_of(current_span()))
    return event


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _add_ids,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, terminal: bool) -> logging.Formatter:
    ending: list[Processor] = (
        # Drawing the values of every frame, as it does by default, can take many seconds.
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
