"""Values of attributes as JSON can hold them, which knows no tuples, NaN or infinity."""

import math
from collections.abc import Callable
from typing import TypeAlias

from .single_span import AttributeMap, AttributeValue

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"]


def json_value(value: AttributeValue, text: Callable[[str], str]) -> JsonValue:
    """Turn a value into what JSON can hold; `text` makes text fit for who reads it.

    Numbers that are none are named as JSON of protobuf names them (protobuf.dev, ProtoJSON).
    """
    match value:
        case str():
            return text(value)
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case tuple():
            return [json_value(one, text) for one in value]
        case _:
            return value


def json_attributes(attributes: AttributeMap, text: Callable[[str], str]) -> dict[str, JsonValue]:
    """Turn attributes into what JSON can hold."""
    return {text(name): json_value(value, text) for name, value in attributes.items()}
