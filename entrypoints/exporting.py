"""How exporters are made of settings; what few need is loaded when it is asked for."""

import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .. import __version__
from ..ports.own_span_exporter import OwnSpanExporter
from .export_settings import ExportSettings

if TYPE_CHECKING:
    from ..adapters.jaeger.collector import CollectorAddress
    from ..domain.model.span_attributes import ServiceResource


def service_resource(settings: ExportSettings, *, node: str = "") -> "ServiceResource":
    """Describe this program, on this node if it has one."""
    from ..domain.model.span_attributes import ServiceResource  # noqa: PLC0415 - it loads numpy

    return ServiceResource(
        service_name=settings.service_name,
        service_version=__version__,
        host_name=socket.gethostname(),
        node=node,
        tags=settings.tags,
    )


def jaeger_address(settings: ExportSettings) -> "CollectorAddress":
    """Say where the Jaeger collector is."""
    from ..adapters.jaeger.collector import CollectorAddress  # noqa: PLC0415 - see the module

    return CollectorAddress(
        url=settings.jaeger_url, user=settings.jaeger_user, password=settings.jaeger_password
    )


def own_span_exporters(settings: ExportSettings) -> list[OwnSpanExporter]:
    """Make those that settings name, for spans of the program itself."""
    return [_OWN_SPANS[name](settings) for name in settings.exporters]


def _console(_settings: ExportSettings) -> OwnSpanExporter:
    from ..adapters.console.own_spans import ConsoleOwnSpanExporter  # noqa: PLC0415 - see the module

    return ConsoleOwnSpanExporter(sys.stdout)


def _jaeger(settings: ExportSettings) -> OwnSpanExporter:
    from ..adapters.jaeger.own_spans import JaegerOwnSpanExporter  # noqa: PLC0415 - see the module

    return JaegerOwnSpanExporter(
        address=jaeger_address(settings), resource=service_resource(settings)
    )


def _otlp(settings: ExportSettings) -> OwnSpanExporter:
    from ..adapters.otlp.own_spans import OtlpOwnSpanExporter  # noqa: PLC0415 - see the module

    return OtlpOwnSpanExporter(settings=settings.otlp, resource=service_resource(settings))


_OWN_SPANS: Mapping[str, Callable[[ExportSettings], OwnSpanExporter]] = {
    "console": _console,
    "jaeger": _jaeger,
    "otlp": _otlp,
}

OWN_SPAN_EXPORTERS = tuple(_OWN_SPANS)
"""What spans of a program itself can be exported by."""
