"""JSON as the body of an answer."""

import json
import operator
from collections.abc import Mapping
from typing import Any, TypeAlias

from sanic.response import HTTPResponse

Json: TypeAlias = dict[str, Any]


def json_answer(
    body: Json, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTTPResponse:
    """Write an answer; integers of numpy are integers too."""
    return HTTPResponse(
        json.dumps(body, default=operator.index, allow_nan=False),
        status=status,
        headers=dict(headers or {}),
        content_type="application/json",
    )
