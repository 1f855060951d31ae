"""Threads for what blocks, and how a program ends although one of them hangs."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import structlog

WORKERS = 16
"""For the kernel's control files, procfs, large answers, and exporters that write or encode."""

_PREFIX = "worker"
_log = structlog.get_logger()


def use_workers() -> ThreadPoolExecutor:
    """Let what the running loop puts into threads be done by ours."""
    workers = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix=_PREFIX)
    asyncio.get_running_loop().set_default_executor(workers)
    return workers


async def leave_no_worker(workers: ThreadPoolExecutor) -> None:
    """End the program at once if a thread hangs, in a write to somebody who does not read.

    Python itself would wait for such a thread for ever.
    """
    workers.shutdown(wait=False, cancel_futures=True)
    for _ in range(10):
        if not any(one.name.startswith(_PREFIX) for one in threading.enumerate()):
            return
        await asyncio.sleep(0.05)
    _log.error("worker.hangs")
    os._exit(1)
