"""Failures of gRPC become those of the port."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio

from ...ports.errors import DiscoveryFailed, RuntimeUnsuitable

_LONGEST_WORDS = 300


@contextmanager
def cri_errors(endpoint: str) -> Iterator[None]:
    """Turn what a call raises into `DiscoveryFailed`, or `RuntimeUnsuitable`."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _failure(endpoint, error) from error


def _failure(endpoint: str, error: grpc.aio.AioRpcError) -> DiscoveryFailed:
    code, words = error.code(), _quoted(_cause(error.details() or ""))
    match code:
        case grpc.StatusCode.UNIMPLEMENTED:
            return RuntimeUnsuitable(
                f"The container runtime at {endpoint} does not speak the CRI, version v1:"
                " its CRI plugin is disabled, or it is too old."
            )
        case grpc.StatusCode.UNAVAILABLE:
            return DiscoveryFailed(
                f"The container runtime at {endpoint} cannot be reached: {words}."
                " See whether it runs, or name another socket with --cri-endpoint."
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DiscoveryFailed(
                f"The container runtime at {endpoint} did not answer in time. See whether it hangs,"
                " or use --use-procfs."
            )
    return DiscoveryFailed(f"The container runtime at {endpoint} answered {code.name}: {words}.")


def _cause(words: str) -> str:
    """Leave out how gRPC came to the system's word for it, which it puts last."""
    return words.rpartition(" error: ")[2]


def _quoted(words: str) -> str:
    """Make what a runtime says fit for a line of a log."""
    line = "".join(one if one.isprintable() else " " for one in words)
    return line.strip().removesuffix(".")[:_LONGEST_WORDS]
