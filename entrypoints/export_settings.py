"""Where spans go, as every role can be told; functions raise `ValueError` with what is wrong."""

# ruff: noqa: RUF009 - `option` makes a field, as attrs.field does

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from attrs import Factory, evolve, frozen

from ..adapters.otlp.settings import OtlpSettings
from ..domain.model.sampling import SampleRate
from . import jaeger_settings, otlp_settings, sampling_settings, tag_settings, values
from .jaeger_settings import check_jaeger
from .options import Variable, last, option
from .otlp_settings import names_otlp_collector
from .values import Address

SERVICE_NAME = "container-tracer"

NOWHERE = "none"
"""What stands for no exporter at all."""

ZPAGES = "zpages"
"""An exporter that is always there, for spans of the program itself only: naming it adds none."""

_Settings = TypeVar("_Settings", bound="ExportSettings")


def exporters_option(names: Sequence[str], *, default: tuple[str, ...], meaning: str) -> Any:  # noqa: ANN401 - see `option`
    """Declare the field `exporters` of a role that has those of `names`."""
    return option(
        "--trace-exporter",
        "TRACER_EXPORTER",
        "OTEL_TRACES_EXPORTER",
        default=default,
        parse=_exporters(names),
        split=values.words,
        meaning=f"{meaning}: {', '.join((*names, ZPAGES))}; or {NOWHERE}, alone",
        default_text=f"{', '.join(default) or 'none'}, or what an endpoint implies",
        repeatable=True,
    )


def _exporters(names: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    def parse(texts: Sequence[str]) -> tuple[str, ...]:
        if set(texts) == {NOWHERE}:
            return ()
        for text in texts:
            if text not in (*names, ZPAGES):
                known = f"there are: {', '.join((*names, ZPAGES))}; or {NOWHERE}, alone"
                raise ValueError(f"there is no exporter {text!r}; {known}")
        return tuple(dict.fromkeys(text for text in texts if text != ZPAGES))

    return parse


def _service_name(text: str) -> str:
    return values.one_line(text) or SERVICE_NAME


@frozen(kw_only=True)
class ExportSettings:
    """What the settings of every role have; a role says by itself what `exporters` it has."""

    SECTION = "Where spans go"
    VARIABLES_ALONE: ClassVar[tuple[Variable, ...]] = (
        *sampling_settings.VARIABLES,
        *otlp_settings.VARIABLES,
    )
    """What is read of the environment besides options."""

    exporters: tuple[str, ...] = ()
    """Where spans go that nobody wants elsewhere, each once."""

    named_exporters: tuple[str, ...] = ()
    """Those of `exporters` that somebody asked for: there a program's own spans go, too."""

    trace_file_directory: Path = option(
        "--trace-file-directory",
        "TRACER_FILE_DIRECTORY",
        default=Path("/var/lib/container-tracer/traces"),
        parse=last(values.path),
        meaning="where file exporters write; made when needed",
    )
    """Where file exporters write; it need not exist yet."""

    jaeger_url: str = option(
        "--jaeger-endpoint",
        *jaeger_settings.ENDPOINT_VARIABLES,
        default="",
        parse=last(jaeger_settings.collector_url),
        meaning="a Jaeger collector: HOST:14268, a URL, or auto, which looks for the service"
        " jaeger-collector in Kubernetes; spans go there unless told otherwise",
    )
    """URL at which a Jaeger collector takes spans, `auto`, or the empty string."""

    jaeger_base: str = option(
        "",
        "JAEGER_ENDPOINT",
        default="",
        parse=last(jaeger_settings.collector_below),
        meaning="a Jaeger collector, likewise, as the URL to which /api/traces is added",
    )
    """The same, if nothing else says it; `jaeger_url` is what it comes to."""

    jaeger_agent: Address | None = option(
        "",
        *jaeger_settings.AGENT_VARIABLES,
        default=None,
        parse=last(jaeger_settings.agent_place),
        meaning="a Jaeger agent: HOST:6831; spans go there over UDP, unless there is a collector",
    )
    """Where a Jaeger agent takes spans, or None; a collector is preferred to it."""

    jaeger_user: str = option(
        "",
        "JAEGER_USER",
        default="",
        parse=last(jaeger_settings.user_name),
        meaning="who asks the Jaeger collector",
    )
    """User name for the Jaeger collector, or the empty string."""

    jaeger_password: str = option(
        "",
        "JAEGER_PASSWORD",
        default="",
        parse=last(str),
        meaning="the password of that user",
        secret=True,
    )
    """Password for the Jaeger collector, or the empty string."""

    otlp: OtlpSettings = Factory(OtlpSettings)
    """What the variables `OTEL_EXPORTER_OTLP_*` say."""

    service_name: str = option(
        "--trace-service-name",
        "OTEL_SERVICE_NAME",
        default=SERVICE_NAME,
        parse=last(_service_name),
        meaning="service.name of what is exported; also in OTEL_RESOURCE_ATTRIBUTES",
    )
    """`service.name` of everything that is exported."""

    tags: Mapping[str, str] = option(
        "--trace-tag",
        "OTEL_RESOURCE_ATTRIBUTES",
        default=Factory(dict),
        parse=tag_settings.tags,
        split=tag_settings.resource_attributes,
        meaning="key=value, attached to everything that is exported",
        repeatable=True,
    )
    """Attributes of the resource of everything that is exported."""

    sample_rate: SampleRate = option(
        "--trace-sample-rate",
        "TRACER_SAMPLE_RATE",
        default=Factory(SampleRate),
        parse=last(SampleRate.of),
        meaning="how much is exported: always, never, or 0 to 100",
        unit="percent",
    )
    """How much of the spans of sessions that do not say so is exported, and of the own ones."""


def complete_export(
    settings: _Settings, environ: Mapping[str, str], *, given: Collection[str]
) -> _Settings:
    """Add what is said by variables alone, and find out whether it fits together.

    `given` are the names of the fields that are said by flags, or variables of their own.
    """
    settings = evolve(settings, jaeger_url=settings.jaeger_url or settings.jaeger_base)
    if "sample_rate" not in given:
        settings = evolve(settings, sample_rate=sampling_settings.sample_rate(environ))
    if "service_name" not in given:
        name = tag_settings.service_name(environ, otherwise=settings.service_name)
        settings = evolve(settings, service_name=name)
    named = settings.exporters if "exporters" in given else _implied(settings, environ)
    settings = evolve(settings, exporters=named or settings.exporters, named_exporters=named)
    check_jaeger(
        wanted=jaeger_settings.EXPORTER in settings.exporters,
        url=settings.jaeger_url,
        agent=settings.jaeger_agent,
        user=settings.jaeger_user,
        password=settings.jaeger_password,
    )
    return evolve(settings, otlp=otlp_settings.otlp_settings(environ))


def _implied(settings: ExportSettings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Tell where spans go if that is not said by name: where somebody gave an address for."""
    places = settings.jaeger_url or settings.jaeger_agent
    jaeger = places or settings.jaeger_user or settings.jaeger_password
    implied = {jaeger_settings.EXPORTER: jaeger, "otlp": names_otlp_collector(environ)}
    return tuple(name for name, meant in implied.items() if meant)
