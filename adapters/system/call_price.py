"""How long the cheapest system call takes."""

import os
import threading
import time
from collections.abc import Callable
from itertools import repeat

ROUNDS = 12
ROUND_NS = 8_000_000
"""Long enough for the clock, short enough that some round is left alone by everybody else."""

_FIRST_CALLS = 2_000


def getppid_ns() -> float:
    """Measure one `getppid` in nanoseconds, without Python's part; takes about 0.15 s.

    The least of many short rounds: all that can disturb a round makes it longer. What Python
    adds is measured with a function that is as small and asks nothing of the kernel.
    """
    calls = _calls_of_a_round()
    pairs = [
        (_round_ns(os.getppid, calls), _round_ns(threading.get_ident, calls)) for _ in range(ROUNDS)
    ]
    asked_ns, python_ns = min(one[0] for one in pairs), min(one[1] for one in pairs)
    return max((asked_ns - python_ns) / calls, 1.0)


def _calls_of_a_round() -> int:
    fastest = min(_round_ns(os.getppid, _FIRST_CALLS) for _ in range(3))
    return max(_FIRST_CALLS, ROUND_NS * _FIRST_CALLS // max(fastest, 1))


def _round_ns(call: Callable[[], int], calls: int) -> int:
    begin = time.perf_counter_ns()
    for _ in repeat(None, calls):
        call()
    return time.perf_counter_ns() - begin
