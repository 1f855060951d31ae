from container_tracer.adapters.memory.sessions import MemorySessionRepository
from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session import TraceSession
from container_tracer.domain.model.session_request import SessionRequest


def test_a_session_is_kept_itself_so_that_its_life_shows() -> None:
    session = TraceSession(
        session_id="1",
        request=SessionRequest(selector=ContainerSelector(), hook="trace_syscalls"),
        plan=TracePlan(events=frozenset()),
    )
    sessions = MemorySessionRepository()
    sessions.add(session)
    assert sessions.get("1") is session


def test_repositories_share_nothing() -> None:
    session = TraceSession(
        session_id="1",
        request=SessionRequest(selector=ContainerSelector(), hook="trace_syscalls"),
        plan=TracePlan(events=frozenset()),
    )
    MemorySessionRepository().add(session)
    assert MemorySessionRepository().list() == []
