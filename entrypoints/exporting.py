"""How exporters are made of settings; what few need is loaded when it is asked for."""

import socket
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from .. import __version__
from ..adapters.files.file_format import FILE_FORMATS
from ..domain.services.found_collector import FoundCollector
from ..ports.single_span_exporter import SingleSpanExporter
from .export_settings import ExportSettings

SINGLE_SPANS = "spans"
"""The directory, among the files of sessions, for those of single spans."""

if TYPE_CHECKING:
    from ..adapters.jaeger.sender import JaegerAddress
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


def jaeger_address(settings: ExportSettings, found: FoundCollector | None) -> "JaegerAddress":
    """Say where Jaeger is, of which settings name a collector or an agent, or `found` it."""
    if found is not None:
        from ..adapters.jaeger.collector import MovingCollector  # noqa: PLC0415 - see the module

        return MovingCollector(where=found.url)
    if settings.jaeger_agent is not None and not settings.jaeger_url:
        from ..adapters.jaeger.agent import AgentAddress  # noqa: PLC0415 - see the module

        return AgentAddress(host=settings.jaeger_agent.host, port=settings.jaeger_agent.port)
    from ..adapters.jaeger.collector import CollectorAddress  # noqa: PLC0415 - see the module

    return CollectorAddress(
        url=settings.jaeger_url, user=settings.jaeger_user, password=settings.jaeger_password
    )


def single_span_exporters(
    settings: ExportSettings, *, found: FoundCollector | None, node: str = ""
) -> list[SingleSpanExporter]:
    """Make those that settings name, for single spans; none if none is sampled.

    `found` is a Jaeger to be looked for.
    """
    if settings.sample_rate.never:
        return []
    makers = [_OWN_SPANS[name] for name in settings.named_exporters if name in _OWN_SPANS]
    return [make(settings, node, found) for make in makers]


def _console(
    settings: ExportSettings, _node: str, _found: FoundCollector | None
) -> SingleSpanExporter:
    from ..adapters.console.single_spans import ConsoleSingleSpanExporter  # noqa: PLC0415 - see the module

    return ConsoleSingleSpanExporter(sys.stdout, settings.tags)


def _file(name: str) -> "_Make":
    def make(
        settings: ExportSettings, _node: str, _found: FoundCollector | None
    ) -> SingleSpanExporter:
        from ..adapters.files.single_spans import FileSingleSpanExporter  # noqa: PLC0415 - see the module

        return FileSingleSpanExporter(
            directory=settings.trace_file_directory / SINGLE_SPANS,
            format=FILE_FORMATS[name],
            service_name=settings.service_name,
            tags=settings.tags,
            name=name,
        )

    return make


def _jaeger(
    settings: ExportSettings, node: str, found: FoundCollector | None
) -> SingleSpanExporter:
    from ..adapters.jaeger.single_spans import JaegerSingleSpanExporter  # noqa: PLC0415 - see the module

    return JaegerSingleSpanExporter(
        address=jaeger_address(settings, found), resource=service_resource(settings, node=node)
    )


def _otlp(settings: ExportSettings, node: str, _found: FoundCollector | None) -> SingleSpanExporter:
    from ..adapters.otlp.single_spans import OtlpSingleSpanExporter  # noqa: PLC0415 - see the module

    return OtlpSingleSpanExporter(
        settings=settings.otlp, resource=service_resource(settings, node=node)
    )


_Make: TypeAlias = Callable[[ExportSettings, str, FoundCollector | None], SingleSpanExporter]

_OWN_SPANS: Mapping[str, _Make] = {
    "console": _console,
    **{name: _file(name) for name in FILE_FORMATS},
    "jaeger": _jaeger,
    "otlp": _otlp,
}

SINGLE_SPAN_EXPORTERS = tuple(_OWN_SPANS)
"""What spans of a program itself can be exported by."""
