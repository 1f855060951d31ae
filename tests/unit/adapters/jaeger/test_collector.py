"""When a collector that is busy wants to be asked again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from container_tracer.adapters.jaeger.collector import retry_after_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 0),
        ("0", 0),
        ("120", 120),
        ("-1", 0),
        ("soon", 0),
        ("\u0663", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0),
        ("Fri, 99 Dec 1999 23:59:59 GMT", 0),
    ],
)
def test_seconds_and_dates_are_read_and_all_else_says_nothing(text: str, seconds: float) -> None:
    assert retry_after_seconds(text) == seconds


def test_a_date_is_counted_from_now() -> None:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    assert 3500 < retry_after_seconds(format_datetime(in_an_hour, usegmt=True)) <= 3600
