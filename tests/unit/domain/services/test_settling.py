from structlog.testing import capture_logs

from container_tracer.domain.services.settling import Settling

SECOND = 1_000_000_000


def test_events_wait_for_the_oldest_container_that_is_not_settled() -> None:
    settling = Settling()
    settling.meet("a", time_ns=100)
    settling.meet("b", time_ns=200)
    settling.meet("a", time_ns=300)
    assert settling.known_until_ns(500) == 100
    settling.settle("a")
    assert settling.known_until_ns(500) == 200
    settling.settle("b")
    assert settling.known_until_ns(500) == 500
    assert settling.meet("a", time_ns=600) is None
    assert settling.known_until_ns(700) == 700


def test_each_newcomer_is_told_of_once() -> None:
    settling = Settling()
    settling.meet("a", time_ns=1)
    settling.meet("a", time_ns=2)
    assert [one.container_id for one in settling.untold()] == ["a"]
    assert settling.untold() == []


def test_nobody_waits_for_longer_than_a_second() -> None:
    settling = Settling()
    settling.meet("a", time_ns=100)
    settling.births[77] = 100
    assert settling.known_until_ns(100 + SECOND) == 100
    with capture_logs() as logs:
        assert settling.known_until_ns(101 + SECOND) == 101 + SECOND
    assert [one["container_id"] for one in logs] == ["a"]
    assert settling.births == {}


def test_a_container_whose_cgroup_is_gone_is_not_remembered_however_late_it_settles() -> None:
    settling = Settling()
    for container_id in ("a", "b"):
        settling.meet(container_id, time_ns=1)
    settling.settle("a")
    settling.forget("a")
    settling.forget("b")
    assert settling.known_until_ns(5) == 1
    settling.settle("b")
    assert len(settling) == 0
    assert settling.meet("a", time_ns=9) is not None


def test_after_a_gap_containers_are_met_anew() -> None:
    settling = Settling()
    settling.meet("a", time_ns=1)
    settling.settle("a")
    settling.forget_all()
    assert settling.meet("a", time_ns=9) is not None
