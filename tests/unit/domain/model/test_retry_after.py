"""When somebody who is busy wants to be asked again."""

import pytest

from container_tracer.domain.model.retry_after import retry_after_seconds
from container_tracer.fakes.spans import NOON_NS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("0", 0),
        (" 120\t", 120),
        ("-1", 0),
        ("soon", 0),
        ("\u0663", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 0 23:59:59 GMT", 0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", 0),
        ("Wed, 01 May 2024 12:00:30 GMT", 30),
        ("Wed, 01 May 2024 12:00:30 -0000", 30),
        ("Wed, 01 May 2024 13:00:30 +0100", 30),
    ],
)
def test_seconds_and_dates_are_read_and_all_else_says_nothing(text: str, seconds: float) -> None:
    assert retry_after_seconds(text, now_ns=NOON_NS) == seconds
