"""What a request for a session must be, to become one on this node."""

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen

from ...ports.errors import PortError, TracingUnavailable
from ...ports.kernel_tracer import KernelTracer
from ...ports.span_exporter import SpanExporter
from ..model.hook import HookCatalogue, TraceHook, TracePlan
from ..model.sampling import SampleRate
from ..model.session_request import HookUnavailable, InvalidRequest, SessionRequest, TooManySessions


@frozen(kw_only=True)
class SessionSettings:
    """`exporters` and `sample_rate` are those of sessions that name none."""

    node: str
    exporters: tuple[str, ...] = ("console",)
    sample_rate: SampleRate = field(factory=SampleRate)
    max_sessions: int = 64


@define(kw_only=True, eq=False)
class Admission:
    """Refuses what cannot be, with the reason, before anything is done about it."""

    settings: SessionSettings
    hooks: Sequence[TraceHook]
    tracer: KernelTracer
    exporters: Mapping[str, SpanExporter]
    _catalogue: HookCatalogue | None = None

    @property
    def catalogue(self) -> HookCatalogue:
        """All hooks, and whether this kernel can do them."""
        if self._catalogue is None or self._catalogue.reason:
            hooks = {hook.name: hook for hook in self.hooks}
            try:
                self._catalogue = HookCatalogue(hooks, self.tracer.event_names())
            except PortError as error:
                self._catalogue = HookCatalogue(hooks, reason=str(error))
        return self._catalogue

    def check_room(self, held: int) -> None:
        """Raise `TooManySessions` if the node holds as many as it may."""
        if held >= self.settings.max_sessions:
            raise TooManySessions(
                f"This node holds {self.settings.max_sessions} sessions, its limit"
                " (--max-sessions); delete some first."
            )

    def exporters_of(self, request: SessionRequest) -> tuple[str, ...]:
        """Return where the spans of a session go; raise `InvalidRequest`."""
        names = self.settings.exporters if request.exporters is None else request.exporters
        if unknown := [name for name in names if name not in self.exporters]:
            known = ", ".join(sorted(self.exporters))
            raise InvalidRequest(f"There is no exporter {unknown[0]!r}; there are: {known}.")
        return tuple(dict.fromkeys(names))

    def plan(self, request: SessionRequest) -> TracePlan:
        """Work a request out for this kernel, if it can be traced and has what the hook needs."""
        catalogue = self.catalogue
        hook = catalogue.find(request.hook)
        if catalogue.reason:
            raise TracingUnavailable(catalogue.reason)
        if reason := catalogue.unavailable(hook):
            raise HookUnavailable(f"Hook {hook.name} cannot run here. {reason}")
        return hook.plan(request.arguments, catalogue.events)
