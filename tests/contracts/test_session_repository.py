import pytest

from container_tracer.adapters.memory.sessions import MemorySessionRepository
from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session import TraceSession
from container_tracer.domain.model.session_request import SessionRequest, UnknownSession
from container_tracer.fakes.session_repository import FakeSessionRepository
from container_tracer.ports.session_repository import SessionRepository


def session(session_id: str) -> TraceSession:
    return TraceSession(
        session_id=session_id,
        request=SessionRequest(selector=ContainerSelector(), hook="trace_syscalls"),
        plan=TracePlan(events=frozenset()),
    )


@pytest.fixture(params=[MemorySessionRepository, FakeSessionRepository])
def repository(request: pytest.FixtureRequest) -> SessionRepository:
    made: SessionRepository = request.param()
    return made


class TestSessionRepository:
    def test_a_session_is_found_by_its_id(self, repository: SessionRepository) -> None:
        kept = session("12")
        repository.add(session("11"))
        repository.add(kept)
        assert repository.get("12") is kept

    def test_sessions_are_listed_oldest_first(self, repository: SessionRepository) -> None:
        for session_id in ("9", "1", "5"):
            repository.add(session(session_id))
        assert [one.session_id for one in repository.list()] == ["9", "1", "5"]

    def test_there_are_none_at_first(self, repository: SessionRepository) -> None:
        assert list(repository.list()) == []

    def test_a_removed_session_is_unknown(self, repository: SessionRepository) -> None:
        repository.add(session("1"))
        repository.add(session("2"))
        repository.remove("1")
        assert [one.session_id for one in repository.list()] == ["2"]
        with pytest.raises(UnknownSession, match="'1'"):
            repository.get("1")

    def test_an_unknown_session_cannot_be_removed(self, repository: SessionRepository) -> None:
        with pytest.raises(UnknownSession, match="'7'"):
            repository.remove("7")

    def test_a_list_is_not_changed_by_what_comes_later(self, repository: SessionRepository) -> None:
        repository.add(session("1"))
        before = repository.list()
        repository.add(session("2"))
        repository.remove("1")
        assert [one.session_id for one in before] == ["1"]
