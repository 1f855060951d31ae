"""Every look for containers is a span; those without news are exported now and then only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field

from ..model.inventory import containers_of
from ..model.pod import Pod
from .own_spans import OwnSpans
from .sparing import Sparing


@define(kw_only=True, eq=False)
class LookSpans:
    """Those of one inventory, of which `pods` tells what it knows."""

    spans: OwnSpans
    pods: Callable[[], tuple[Pod, ...]]
    _sparing: Sparing = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Tell of the first."""
        self._sparing = Sparing(clock=self.spans.clock)

    @contextmanager
    def look(self, discovery: str) -> Iterator[None]:
        """Have a span of a look, by a discovery of that name, that lasts as long as the block."""
        began_ns, before, error = self.spans.clock.wall_ns(), self.pods(), ""
        try:
            yield
        except BaseException as failure:
            error = str(failure) or type(failure).__name__
            raise
        finally:
            after = self.pods()
            remarkable = bool(error) or after != before
            self.spans.record(
                "discovery",
                started_ns=began_ns,
                attributes={
                    "container_tracer.discovery": discovery,
                    "container_tracer.pods": len(after),
                    "container_tracer.containers": len(containers_of(after)),
                },
                error=error,
                exported=self._sparing.tells(remarkable=remarkable),
            )
