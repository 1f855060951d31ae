"""When somebody who is busy wants to be asked again: the header Retry-After (RFC 9110, 10.2.3)."""

from email.utils import mktime_tz, parsedate_tz


def retry_after_seconds(text: str, *, now_ns: int) -> float:
    """Read a number of seconds, or a date; 0 if it is neither, or is past.

    `now_ns` is the time of the wall clock.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    date = parsedate_tz(text)
    try:
        moment = mktime_tz((*date[:9], date[9] or 0)) if date else 0
    except (ValueError, OverflowError):  # such as the year 0, or one of twenty digits
        return 0.0
    return max(0.0, moment - now_ns / 1e9)
