"""What is asked of sessions, and why it may be refused.

Every role knows these; what a session is made of only those that have some.
"""

from attrs import frozen

from .errors import RequestError
from .sampling import SampleRate
from .selector import ContainerSelector
from .trace_context import SpanContext


class InvalidRequest(RequestError):
    """A request for a session has a field that cannot be."""


class UnknownHook(RequestError):
    """No hook has that name."""


class HookUnavailable(RequestError):
    """This kernel cannot do what the hook needs."""


class InvalidArguments(RequestError):
    """The arguments given to a hook do not fit it."""


class TooManySessions(RequestError):
    """The node holds as many sessions as it may."""


class UnknownSession(RequestError):
    """No session has that id."""


def no_such_session(session_id: str) -> UnknownSession:
    """Say that there is no session of an id, to whoever may not see it too."""
    return UnknownSession(f"There is no trace session {session_id!r} on this node.")


class IllegalTransition(RequestError):
    """The session is in a state that does not allow this."""


class TooManyWatchers(RequestError):
    """As many watch the sessions of this node as may."""


@frozen(kw_only=True)
class SessionRequest:
    """What a user asks for. `duration_ns` and `max_events` of 0 mean no limit.

    `max_events` counts what a user sees as events: the spans that are passed on.
    `exporters` and `sample_rate` of None mean those the node was started with. With `lease_ns` the
    session is deleted when nobody has asked for it for so long; 0 is never. `vmm` says that of a
    container in a virtual machine the VMM is wanted. With `wait_for_pods` nothing needs to match
    yet, and the session goes on when nothing does any more. `caller` is the span that asks for it.
    `group` is an id that the sessions of several nodes share, or the empty string.
    """

    selector: ContainerSelector
    hook: str
    arguments: str = ""
    user_context: str = ""
    run: bool = False
    duration_ns: int = 0
    max_events: int = 0
    exporters: tuple[str, ...] | None = None
    sample_rate: SampleRate | None = None
    lease_ns: int = 0
    vmm: bool = False
    wait_for_pods: bool = False
    caller: SpanContext | None = None
    group: str = ""
