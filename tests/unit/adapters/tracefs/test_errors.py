import errno
import os

import pytest

from container_tracer.adapters.tracefs.errors import event_errors, tracing_errors
from container_tracer.ports.errors import EventUnavailable, TracingUnavailable


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "run as root"),
        (errno.EPERM, "lockdown"),
        (errno.EROFS, "remount,rw"),
        (errno.ENOMEM, "smaller buffers"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EBUSY, "busy"),
    ],
)
def test_a_refusal_says_what_was_tried_and_what_to_do(number: int, advice: str) -> None:
    with (
        pytest.raises(TracingUnavailable, match=f"^Cannot open it: .*{advice}.*\\.$") as raised,
        tracing_errors("open it"),
    ):
        raise OSError(number, os.strerror(number))
    assert isinstance(raised.value.__cause__, OSError)


def test_an_event_that_is_not_given_is_named() -> None:
    with (
        pytest.raises(EventUnavailable, match=r"does not give the format of x: no such file"),
        event_errors("the format of x"),
    ):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")


def test_what_is_no_failure_of_the_kernel_passes() -> None:
    with pytest.raises(ZeroDivisionError), tracing_errors("open it"), event_errors("x"):
        raise ZeroDivisionError
