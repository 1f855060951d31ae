"""Numbers scattered over all others: what ids are made of, and what is decided by chance."""

import numpy as np

from .spans import UInt64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def scattered(number: UInt64) -> UInt64:
    """Scatter 64-bit numbers over all others, one to one but for 0, which is no id.

    The finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom numbers).
    """
    number = (number ^ number >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ number >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    number = number ^ number >> np.uint64(31)
    return np.where(number == 0, GOLDEN, number)
