"""Where spans go is said by name, or implied by an address, on both roles alike."""

import pytest

from container_tracer.entrypoints.exporting import single_span_exporters
from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.svc import settings as svc

ROLES = (node, svc)
NAMED = "OTEL_TRACES_EXPORTER"
OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


@pytest.mark.parametrize(
    ("argv", "environ", "exporters"),
    [
        ([], {NAMED: "otlp"}, ("otlp",)),
        ([], {NAMED: "console, otlp,console"}, ("console", "otlp")),
        ([], {NAMED: "none"}, ()),
        ([], {NAMED: "none", **OTLP}, ()),
        ([], {NAMED: "console", **OTLP}, ("console",)),
        ([], {NAMED: " ", **OTLP}, ("otlp",)),
        ([], {NAMED: "otlp", "TRACER_EXPORTER": "console"}, ("console",)),
        ([], {NAMED: "otlp", "TRACER_EXPORTER": "none"}, ()),
        (["--trace-exporter=console"], {NAMED: "nonsense", "TRACER_EXPORTER": "x"}, ("console",)),
        (["--trace-exporter=none"], OTLP, ()),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_a_name_beats_an_address_and_the_flag_its_variables(
    role: object, argv: list[str], environ: dict[str, str], exporters: tuple[str, ...]
) -> None:
    settings = role.read_settings(argv, environ)  # type: ignore[attr-defined]
    assert settings.exporters == exporters
    assert tuple(one.name for one in single_span_exporters(settings, found=None)) == exporters


@pytest.mark.parametrize(
    ("argv", "environ", "said"),
    [
        ([], {NAMED: "zipkin"}, "OTEL_TRACES_EXPORTER: there is no exporter 'zipkin'; there are: "),
        ([], {NAMED: "none,otlp"}, "OTEL_TRACES_EXPORTER: there is no exporter 'none'; there are"),
        (["--trace-exporter=OTLP"], {}, "--trace-exporter: there is no exporter 'OTLP'"),
        (["--trace-exporter="], {}, "--trace-exporter: there is no exporter ''"),
        (["--trace-exporter=jaeger"], {}, "exporter 'jaeger' needs an address"),
        ([], {NAMED: "jaeger"}, "exporter 'jaeger' needs an address"),
        (["--trace-exporter=otlp"], {"OTEL_EXPORTER_OTLP_ENDPOINT": "c"}, "_ENDPOINT: 'c' is no"),
    ],
)
@pytest.mark.parametrize("role", ROLES)
def test_an_exporter_that_is_none_or_has_no_address_is_an_error_at_start(
    capsys: pytest.CaptureFixture[str],
    role: object,
    argv: list[str],
    environ: dict[str, str],
    said: str,
) -> None:
    with pytest.raises(SystemExit) as raised:
        role.read_settings(argv, environ)  # type: ignore[attr-defined]
    assert raised.value.code == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("role", ROLES)
def test_no_exporter_is_made_for_own_spans_that_are_never_sampled(role: object) -> None:
    argv = ["--trace-exporter=otlp", "--trace-exporter=console", "--trace-sample-rate"]
    for rate, count in (("never", 0), ("0", 0), ("0.000000001", 2)):
        settings = role.read_settings([*argv, rate], {})  # type: ignore[attr-defined]
        assert len(single_span_exporters(settings, found=None)) == count
        assert settings.exporters == ("otlp", "console")
