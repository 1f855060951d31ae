"""What may go wrong with an API server, on demand."""

from collections.abc import Mapping
from enum import Enum

from attrs import define, field

from .calls import Call


class Manners(Enum):
    """How a request is dealt with instead of being answered as it should."""

    ANSWERS = "answers with the status, headers and body of the fault"
    HANGS = "never answers"
    HANGS_UP = "closes the connection without an answer"
    BREAKS_OFF = "closes the connection in the middle of its answer"


@define(kw_only=True)
class Fault:
    """Befalls the next `times` calls with the verb and resource; empty is every one."""

    manners: Manners = Manners.ANSWERS
    status: int = 500
    reason: str = "InternalError"
    message: str = "etcdserver: leader changed"
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | None = None
    verb: str = ""
    resource: str = ""
    times: int = 1

    def befalls(self, call: Call) -> bool:
        """Tell whether it is about such a call."""
        return self.verb in ("", call.verb) and self.resource in ("", call.resource)


def take(faults: list[Fault], call: Call) -> Fault | None:
    """Return the fault that befalls a call, and count it down."""
    found = next((one for one in faults if one.befalls(call)), None)
    if found is None:
        return None
    found.times -= 1
    if found.times <= 0:
        faults.remove(found)
    return found
