"""Memory that one batch was made of is there for the next."""

import subprocess
import sys

SCRIPT = """
import resource
import sys
import numpy as np
from container_tracer.adapters.system.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def batch():
    for column in [np.ones(100_000) for _ in range(16)]:
        column += 1

for _ in range(3):
    batch()
before = faults()
for _ in range(20):
    batch()
print(faults() - before)
"""


def page_faults(how: str) -> int:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


def test_batch_after_batch_takes_no_new_pages_from_the_kernel() -> None:
    assert page_faults("keep") < page_faults("do not") / 10
