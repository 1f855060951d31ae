"""Queries of the pages: what is to be shown, and in which form."""

import re
from collections.abc import Mapping, Sequence

from ...domain.model.session_request import InvalidRequest
from ...domain.model.span_book import BUCKET_FLOORS_NS
from ...domain.model.span_choice import SpanChoice
from ..rest.queries import parse_switch

TRACEZ_PARAMETERS = ("name", "bucket", "error", "running", "trace_id", "format")
RPCZ_PARAMETERS = ("name", "format")
INDEX_PARAMETERS = ("format",)
FORMATS = ("html", "json")

_JSON_TYPE, _HTML_TYPE = "application/json", "text/html"
_TRACE_DIGITS = 32

Query = Mapping[str, Sequence[str]]


def parse_choice(given: Query) -> SpanChoice:
    """Read which spans are wanted; raise `InvalidRequest` with what is wrong."""
    choice = SpanChoice(
        name=once("name", given),
        running=parse_switch("running", given.get("running", ())),
        bucket=_bucket(once("bucket", given)),
        error=once("error", given),
        trace_id=_trace_id(once("trace_id", given)),
    )
    if sum((choice.running, choice.bucket is not None, choice.error is not None)) > 1:
        raise InvalidRequest("Of 'running', 'bucket' and 'error', name one: no span is in two.")
    return choice


def wants_json(given: Query, accept: str) -> bool:
    """Tell whether a program asks: by `format`, else by the header `Accept`."""
    said = once("format", given)
    if said is None:
        named = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
        return _JSON_TYPE in named and _HTML_TYPE not in named
    if said not in FORMATS:
        raise InvalidRequest(f"Query parameter 'format' must be one of: {', '.join(FORMATS)}.")
    return said == "json"


def check_known(given: Query, known: Sequence[str]) -> None:
    """Raise `InvalidRequest` for a parameter that means nothing."""
    for name in given:
        if name not in known:
            raise InvalidRequest(
                f"Query parameter {name[:80]!r} is unknown; known are: {', '.join(known)}."
            )


def once(name: str, given: Query) -> str | None:
    """Return the value of a parameter, None if it is not given."""
    values = given.get(name, ())
    if len(values) > 1:
        raise InvalidRequest(f"Query parameter {name!r} is given more than once.")
    return values[0] if values else None


def _bucket(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]", text) or int(text) >= len(BUCKET_FLOORS_NS):
        raise InvalidRequest(
            f"Query parameter 'bucket' must be a number from 0 to {len(BUCKET_FLOORS_NS) - 1}."
        )
    return int(text)


def _trace_id(text: str | None) -> bytes | None:
    """Read the id of a trace; an empty one, as forms send it, is none."""
    digits = (text or "").strip(" ")
    if not digits:
        return None
    if not re.fullmatch(f"[0-9a-fA-F]{{1,{_TRACE_DIGITS}}}", digits):
        raise InvalidRequest("Query parameter 'trace_id' must be up to 32 hexadecimal digits.")
    return bytes.fromhex(digits.zfill(_TRACE_DIGITS))
