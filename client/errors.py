"""What can go wrong between a program and a tracer."""

from attrs import frozen

from .node_errors import NodeError


class ClientError(Exception):
    """Something went wrong; the text is a sentence a person can act on."""


class InvalidUrl(ClientError, ValueError):
    """A URL is none that a tracer can be reached at."""


class ServerUnreachable(ClientError):
    """The server does not answer, or stopped in the middle of an answer."""


class UnexpectedAnswer(ClientError):
    """What answers is no tracer, or one that this client does not understand."""


@frozen(kw_only=True)
class Problem:
    """What a tracer says about a request it refuses (RFC 9457).

    `type` tells apart what has the same status, such as
    `urn:container-tracer:problem:no-matching-container`; it is `about:blank` for plain HTTP.
    """

    status: int
    title: str
    detail: str
    type: str = "about:blank"

    @property
    def kind(self) -> str:
        """The last part of the type: `no-matching-container`; empty for plain HTTP."""
        return self.type.rpartition(":")[2] if self.type.startswith("urn:") else ""


class Refused(ClientError):
    """The tracer answered with a problem; the text is the tracer's own.

    `node_errors` are what single nodes of a cluster said.
    """

    def __init__(self, problem: Problem, node_errors: tuple[NodeError, ...] = ()) -> None:
        """Keep the problem."""
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.node_errors = node_errors
