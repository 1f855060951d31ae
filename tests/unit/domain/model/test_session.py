"""The life of a session is a table."""

from itertools import product

import pytest

from container_tracer.domain.model.errors import RequestError
from container_tracer.domain.model.hook import TracePlan
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.session import TRANSITIONS, SessionState, TraceSession
from container_tracer.domain.model.session_request import IllegalTransition, SessionRequest

ALLOWED = {
    ("created", "starting"),
    ("starting", "running"),
    ("starting", "failed"),
    ("running", "stopping"),
    ("stopping", "stopped"),
    ("stopping", "failed"),
    ("stopped", "starting"),
    ("failed", "starting"),
}
PAIRS = [*product(SessionState, SessionState)]


def session(state: SessionState = SessionState.CREATED) -> TraceSession:
    return TraceSession(
        session_id="5",
        request=SessionRequest(selector=ContainerSelector(), hook="trace_syscalls"),
        plan=TracePlan(events=frozenset()),
        state=state,
    )


@pytest.mark.parametrize(("state", "target"), [one for one in PAIRS if one in ALLOWED])
def test_a_session_moves_as_the_table_allows(state: SessionState, target: SessionState) -> None:
    one = session(state)
    one.move(target)
    assert one.state is target


@pytest.mark.parametrize(("state", "target"), [one for one in PAIRS if one not in ALLOWED])
def test_every_other_move_is_refused_and_changes_nothing(
    state: SessionState, target: SessionState
) -> None:
    one = session(state)
    with pytest.raises(IllegalTransition, match=f"Session 5 is {state} and cannot become {target}"):
        one.move(target)
    assert one.state is state


def test_the_table_has_a_row_for_every_state_and_no_dead_end() -> None:
    assert set(TRANSITIONS) == set(SessionState)
    assert all(TRANSITIONS.values())


def test_every_state_is_reached_from_the_first() -> None:
    reached = {SessionState.CREATED}
    for _ in SessionState:
        reached |= {target for state in reached for target in TRANSITIONS[state]}
    assert reached == set(SessionState)


def test_a_session_holds_something_in_the_kernel_from_starting_until_stopped() -> None:
    assert [state for state in SessionState if session(state).running] == [
        SessionState.STARTING,
        SessionState.RUNNING,
        SessionState.STOPPING,
    ]


def test_an_illegal_move_is_the_callers_fault() -> None:
    assert issubclass(IllegalTransition, RequestError)


def test_a_new_session_has_not_begun() -> None:
    one = session()
    assert (one.state, one.created_ns, one.started_ns, one.ended_ns) == ("created", 0, 0, 0)
    assert (one.statistics.attributed, one.outputs, one.error, one.reason) == (0, (), "", "")
