"""Buckets that durations are counted in, as wide as their durations are long.

Each power of two is cut into 64 buckets, of what lies one nanosecond above the duration, so that
0 has a bucket, too. Counts of the same bucket add up, wherever they were counted.
"""

PART_BITS = 6
PARTS = 1 << PART_BITS
"""So many buckets has each power of two."""


def duration_of(bucket: int) -> int:
    """Return the duration in the middle of a bucket, in nanoseconds."""
    octave, part = divmod(bucket, PARTS)
    first = ((PARTS + part) << octave) >> PART_BITS
    width = max(1, (1 << octave) >> PART_BITS)
    return first + (width - 1) // 2 - 1
