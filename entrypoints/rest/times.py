"""Times as answers show them."""

from datetime import UTC, datetime

_NS = 10**9


def rfc3339(wall_ns: int) -> str:
    """Write nanoseconds since 1970 as a time in UTC; 0 is the empty string."""
    if not wall_ns:
        return ""
    seconds, nanoseconds = divmod(int(wall_ns), _NS)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
