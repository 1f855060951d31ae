"""Numbers are scattered one to one, and none becomes 0."""

import numpy as np

from container_tracer.domain.model.scattering import scattered


def test_a_number_that_scatters_to_0_gets_another_id() -> None:
    assert scattered(np.zeros(1, np.uint64))[0] != 0


def test_neighbours_become_numbers_of_every_size_and_never_the_same() -> None:
    numbers = scattered(np.arange(100_000, dtype=np.uint64))
    assert len(np.unique(numbers)) == len(numbers)
    upper = np.bincount((numbers >> np.uint64(60)).astype(np.int64), minlength=16)
    lower = np.bincount((numbers & np.uint64(15)).astype(np.int64), minlength=16)
    assert min(upper.min(), lower.min()) > 0.9 * len(numbers) / 16
