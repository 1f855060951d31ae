"""Which of a session's spans are exported: a task's spans of one second all are, or none.

What is kept is cut into slices after, so a slice that is sent is whole: nothing inside it is
missing by chance. The decision is made once, before the exporters, so they all get the same.
"""

import numpy as np
from attrs import frozen

from .sampling import SampleRate
from .scattering import scattered
from .spans import SpanBatch, UInt64

WINDOW_NS = 10**9
"""About as long as spans gather into slices; windows begin with each second of the wall clock."""


@frozen(kw_only=True)
class SpanSampling:
    """Decides for one run of a session; `seed` has 64 bits, by which runs differ."""

    rate: SampleRate
    seed: int

    def keep(self, batch: SpanBatch) -> SpanBatch:
        """Return the spans that are exported; those of a window are told by when they end."""
        if self.rate.always:
            return batch
        kept = self.rate.keeps_each(self._chances(batch))
        return batch if kept.all() else batch.take(kept)

    def _chances(self, batch: SpanBatch) -> UInt64:
        window = (batch.end_ns // WINDOW_NS).astype(np.uint64)
        task = batch.container.astype(np.uint64) << np.uint64(32) | batch.tid.astype(np.uint64)
        return scattered(scattered(window ^ np.uint64(self.seed)) ^ task)
