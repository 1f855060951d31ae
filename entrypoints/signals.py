"""Signals that ask a server to end."""

import asyncio
import signal


def asked_to_stop() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set from now on, in the running loop."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked
