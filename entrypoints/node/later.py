"""What the node role is known by, but cannot do in this version."""

from collections.abc import Mapping

from ..later import later
from ..options import Option

LATER: Mapping[str, Option] = {
    "trace_hooks": Option(
        flag="--trace-hooks",
        variables=("TRACER_HOOKS",),
        parse=later("a directory of external hook managers"),
        meaning="a directory with external hook managers; not part of this version",
    ),
}
