"""The two kinds of failure the domain itself can state; `ports.errors` adds the world's.

A leaf class lives beside the rule that raises it.
"""


class TracerError(Exception):
    """Any failure this project raises on purpose; its text is a sentence a person can act on."""


class RequestError(TracerError):
    """The caller asked for something that cannot be; nothing was changed."""


class DataError(TracerError):
    """Bytes or text from the kernel do not mean anything; they are counted and skipped."""
