"""Which samples of a book somebody wants to see."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from .span_book import SpanBook, SpanName
from .span_samples import SpanSample


@frozen(kw_only=True)
class SpanChoice:
    """Spans that fit everything that is said; what is None or false says nothing.

    `bucket` is a place in `BUCKET_FLOORS_NS`; an empty `error` is every kind of error.
    """

    name: str | None = None
    running: bool = False
    bucket: int | None = None
    error: str | None = None
    trace_id: bytes | None = None

    @property
    def anything(self) -> bool:
        """Tell whether nothing is said."""
        return self == SpanChoice()

    def samples(self, book: SpanBook, now_ns: int) -> Sequence[SpanSample]:
        """Return spans, newest first; those of a trace, and those running, oldest first."""
        found = [one for one in self._kept(book, now_ns) if self._fits(one)]
        newest_first = self.trace_id is None and not self.running
        return sorted(found, key=lambda one: one.started_ns, reverse=newest_first)

    def names(self, book: SpanBook) -> Sequence[SpanName]:
        """Return what is known of the names that are wanted, by name."""
        wanted = (one for one in book.names.values() if self.name in (None, one.name))
        return sorted(wanted, key=lambda one: one.name)

    def _kept(self, book: SpanBook, now_ns: int) -> Iterator[SpanSample]:
        for name in self.names(book):
            if self.running:
                yield from name.longest_running(now_ns)
            elif self.bucket is not None:
                yield from name.buckets[self.bucket].samples.newest_first()
            else:
                yield from name.samples(now_ns)

    def _fits(self, sample: SpanSample) -> bool:
        failed = sample.error is not None and self.error in ("", sample.error)
        return self.trace_id in (None, sample.trace_id) and (failed or self.error is None)
