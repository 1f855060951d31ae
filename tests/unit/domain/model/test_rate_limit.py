"""Clients may ask so often, and at once a little more."""

from contextlib import suppress

import pytest

from container_tracer.domain.model.rate_limit import RateLimit, RequestRates, TooManyRequests


def rates(rate: float = 2, burst: float = 3, max_clients: int = 100) -> RequestRates:
    return RequestRates(limit=RateLimit(rate=rate, burst=burst), max_clients=max_clients)


def exhaust(these: RequestRates, client: str, now_seconds: float) -> int:
    taken = 0
    with suppress(TooManyRequests):
        while taken < 100:
            these.take(client, now_seconds)
            taken += 1
    return taken


def test_a_burst_is_taken_and_then_the_rate() -> None:
    these = rates(rate=2, burst=3)
    assert exhaust(these, "a", 10.0) == 3
    assert exhaust(these, "a", 11.0) == 2
    assert exhaust(these, "a", 1000.0) == 3


def test_who_asks_too_often_is_told_when_to_ask_again() -> None:
    these = rates(rate=2, burst=1)
    these.take("a", 0.0)
    with pytest.raises(TooManyRequests, match="More than 2 requests a second") as refused:
        these.take("a", 0.1)
    assert refused.value.retry_after_seconds == pytest.approx(0.4)
    these.take("a", 0.1 + refused.value.retry_after_seconds + 1e-9)


def test_clients_do_not_disturb_each_other() -> None:
    these = rates()
    exhaust(these, "a", 0.0)
    these.take("b", 0.0)


def test_refused_requests_cost_nothing() -> None:
    these = rates(rate=1, burst=1)
    these.take("a", 0.0)
    for _ in range(100):
        with pytest.raises(TooManyRequests):
            these.take("a", 0.5)
    these.take("a", 1.0)


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    these = rates(rate=1, burst=1)
    these.take("a", 5.0)
    with pytest.raises(TooManyRequests):
        these.take("a", 1.0)


def test_the_table_is_bounded_and_forgets_who_asked_longest_ago() -> None:
    these = rates(burst=1, max_clients=3)
    for client in "abc":
        these.take(client, 0.0)
    with pytest.raises(TooManyRequests):
        these.take("a", 0.0)
    these.take("d", 0.0)
    assert these.clients == 3
    with pytest.raises(TooManyRequests):
        these.take("a", 0.0)
    these.take("b", 0.0)


def test_without_a_rate_there_is_no_limit() -> None:
    these = rates(rate=0, burst=0)
    for _ in range(1000):
        these.take("a", 0.0)
    assert these.clients == 0
