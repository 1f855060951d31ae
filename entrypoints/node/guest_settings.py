"""What the node role can be told of spans that virtual machines send."""

# ruff: noqa: RUF009 - `option` makes a field, as attrs.field does

from typing import get_args

from attrs import frozen

from ...adapters.vsock.settings import VsockUse
from .. import values
from ..options import last, option
from ..server_settings import ServerSettings

AGENT_SERVICE = "kata-agent"
AGENT_PORT = 10240

MAX_VSOCK_PORT = 2**32 - 2
MAX_FRAME_KIB = 256 * 1024


def _vsock(text: str) -> str:
    words = get_args(VsockUse)
    if text not in words:
        raise ValueError(f"{text!r} is none of: {', '.join(words)}")
    return text


def _service(text: str) -> str:
    if not (name := values.one_line(text).strip()):
        raise ValueError("a service has to have a name")
    return name


@frozen(kw_only=True)
class GuestSettings(ServerSettings):
    """What becomes of the spans of Kata's agents."""

    SECTION = "Spans of virtual machines"

    span_forwarder: bool = option(
        "--span-forwarder",
        "TRACER_SPAN_FORWARDER",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="take spans of the agents in virtual machines of Kata Containers, and export them"
        " where other spans go",
    )
    """Whether spans of agents in virtual machines are taken."""

    span_forwarder_vsock: VsockUse = option(
        "--span-forwarder-vsock",
        "TRACER_SPAN_FORWARDER_VSOCK",
        default="auto",
        parse=last(_vsock),
        meaning="listen to VSOCK: auto where the kernel has it, on, or off; UNIX sockets of"
        " monitors are always listened to",
    )
    """Whether VSOCK is listened to."""

    span_forwarder_port: int = option(
        "--span-forwarder-port",
        "TRACER_SPAN_FORWARDER_PORT",
        default=AGENT_PORT,
        parse=last(values.number(1, MAX_VSOCK_PORT)),
        meaning="the port of the host to which agents send",
    )
    """The port of the host to which agents send."""

    span_forwarder_frame_kib: int = option(
        "--span-forwarder-frame-kib",
        "TRACER_SPAN_FORWARDER_FRAME_KIB",
        default=16 * 1024,
        parse=last(values.number(1, MAX_FRAME_KIB)),
        meaning="how long a span may be as it is sent",
        unit="KiB",
    )
    """How long a frame may be, in KiB."""

    span_forwarder_service_name: str = option(
        "--span-forwarder-service-name",
        "TRACER_SPAN_FORWARDER_SERVICE_NAME",
        default=AGENT_SERVICE,
        parse=last(_service),
        meaning="service.name of these spans",
    )
    """`service.name` of the spans of agents."""

    span_forwarder_dumps: bool = option(
        "--span-forwarder-dumps",
        "TRACER_SPAN_FORWARDER_DUMPS",
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="export all that these spans hold: whole requests to agents too, with the"
        " environment of containers and the secrets in it",
    )
    """Whether texts that may hold secrets are exported."""
