"""How much is exported: a flag, its variable, or the sampler of OpenTelemetry; never a guess."""

import pytest

from container_tracer.domain.model.sampling import SampleRate
from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.sampling_settings import sample_rate
from container_tracer.entrypoints.svc import settings as svc

SAMPLER, ARGUMENT = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"


@pytest.mark.parametrize(
    ("environ", "percent"),
    [
        ({}, 100),
        ({SAMPLER: ""}, 100),
        ({SAMPLER: "always_on"}, 100),
        ({SAMPLER: "always_off"}, 0),
        ({SAMPLER: "parentbased_always_on"}, 100),
        ({SAMPLER: " ParentBased_Always_Off "}, 0),
        ({SAMPLER: "traceidratio"}, 100),
        ({SAMPLER: "traceidratio", ARGUMENT: "0.1"}, 10),
        ({SAMPLER: "traceidratio", ARGUMENT: ".25"}, 25),
        ({SAMPLER: "parentbased_traceidratio", ARGUMENT: "0"}, 0),
        ({SAMPLER: "parentbased_traceidratio", ARGUMENT: "1.0"}, 100),
        ({SAMPLER: "always_on", ARGUMENT: "no ratio, and nobody asks"}, 100),
        ({ARGUMENT: "0.1"}, 100),
        ({"OTEL_SDK_DISABLED": "True", SAMPLER: "always_on"}, 0),
        ({"OTEL_SDK_DISABLED": "false"}, 100),
    ],
)
def test_samplers_are_those_of_the_specification(environ: dict[str, str], percent: float) -> None:
    assert sample_rate(environ) == SampleRate(percent)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({SAMPLER: "jaeger_remote"}, "OTEL_TRACES_SAMPLER: there is no sampler 'jaeger_remote'"),
        ({SAMPLER: "sometimes"}, "there are: always_on, always_off, traceidratio, parentbased_"),
        ({SAMPLER: "traceidratio", ARGUMENT: "10"}, "OTEL_TRACES_SAMPLER_ARG: '10' is no ratio"),
        ({SAMPLER: "traceidratio", ARGUMENT: "1.1"}, "is no ratio"),
        ({SAMPLER: "traceidratio", ARGUMENT: "nan"}, "is no ratio"),
        ({SAMPLER: "traceidratio", ARGUMENT: "-0.1"}, "is no ratio"),
        ({"OTEL_SDK_DISABLED": "yes"}, "OTEL_SDK_DISABLED: 'yes' is neither true nor false"),
    ],
)
def test_what_is_none_of_them_is_an_error(
    capsys: pytest.CaptureFixture[str], environ: dict[str, str], named: str
) -> None:
    for role in (node, svc):
        with pytest.raises(SystemExit) as raised:
            role.read_settings([], environ)
        assert raised.value.code == 2
        assert named in capsys.readouterr().err


def test_on_both_roles_a_flag_beats_its_variable_and_that_the_sampler() -> None:
    off = {SAMPLER: "always_off", "OTEL_SDK_DISABLED": "nonsense that nobody looks at"}
    tenth = {"TRACER_SAMPLE_RATE": "10", **off}
    for role in (node, svc):
        assert role.read_settings(["--trace-sample-rate=NEVER"], tenth).sample_rate.never
        assert role.read_settings(["--trace-sample-rate", "always"], tenth).sample_rate.always
        assert role.read_settings([], tenth).sample_rate == SampleRate(10)
        assert role.read_settings([], {SAMPLER: "always_off"}).sample_rate.never
        assert role.read_settings([], {}).sample_rate.always
