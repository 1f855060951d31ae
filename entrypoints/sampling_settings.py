"""How much is exported, where only the variables of OpenTelemetry say so.

Functions raise `ValueError` with the variable's name and what is wrong.
"""

import re
from collections.abc import Mapping

from ..domain.model.sampling import ALL_PERCENT, SampleRate
from .options import Variable

SAMPLER, ARGUMENT = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
DISABLED = "OTEL_SDK_DISABLED"

VARIABLES = (
    Variable(
        name=SAMPLER,
        meaning="how much is exported where --trace-sample-rate does not say it: always_on,"
        " always_off, or traceidratio, each also with parentbased_ before it",
        default="always_on",
    ),
    Variable(
        name=ARGUMENT,
        meaning="the ratio of traceidratio, from 0 to 1",
        default="1",
    ),
    Variable(
        name=DISABLED,
        meaning="true: nothing is exported, unless --trace-sample-rate says otherwise",
        default="false",
    ),
)

_PARENT_BASED = "parentbased_"
_RATIO = re.compile(r"0?\.[0-9]{1,18}|0|1(\.0{1,18})?", re.ASCII)
_SAMPLERS = {"always_on": SampleRate(100.0), "always_off": SampleRate(0.0), "traceidratio": None}


def sample_rate(environ: Mapping[str, str]) -> SampleRate:
    """Read the sampler, which is `always_on` unless it is said; nothing is kept of what is off.

    A caller that does not keep its span is heeded either way, so that it makes no difference
    whether a sampler is `parentbased_`.
    """
    if _disabled(environ.get(DISABLED, "").strip()):
        return SampleRate(0.0)
    name = environ.get(SAMPLER, "").strip().lower()
    if not name:
        return SampleRate()
    plain = name.removeprefix(_PARENT_BASED)
    if plain not in _SAMPLERS:
        known = ", ".join([*_SAMPLERS, *(f"{_PARENT_BASED}{one}" for one in _SAMPLERS)])
        raise ValueError(f"{SAMPLER}: there is no sampler {name!r}; there are: {known}")
    return _SAMPLERS[plain] or _ratio(environ.get(ARGUMENT, "").strip())


def _disabled(text: str) -> bool:
    if text.lower() not in ("true", "false", ""):
        raise ValueError(f"{DISABLED}: {text!r} is neither true nor false")
    return text.lower() == "true"


def _ratio(text: str) -> SampleRate:
    if not text:
        return SampleRate()
    if not _RATIO.fullmatch(text):
        raise ValueError(f"{ARGUMENT}: {text!r} is no ratio from 0 to 1, such as 0.25")
    return SampleRate(float(text) * ALL_PERCENT)
