"""Failures of the Kubernetes API, and on the way to it, become those of the port."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
import yaml
from kubernetes.aio.config import ConfigException

from ...domain.model.quoting import printable
from ...domain.model.retry_after import retry_after_seconds
from ...ports.errors import ClusterUnavailable

_LONGEST_WORDS = 300
_LONGEST_WAIT_SECONDS = 60.0


@contextmanager
def kubernetes_errors(address: str) -> Iterator[None]:
    """Turn what keeps a request from being answered into `ClusterUnavailable`."""
    api = f"The Kubernetes API at {address}"
    try:
        yield
    except TimeoutError as error:
        raise ClusterUnavailable(f"{api} did not answer in time.") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise ClusterUnavailable(
            f"{api} has a certificate that is not trusted: {_quoted(error.certificate_error)}."
            " See which authority the kubeconfig or the service account names."
        ) from error
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno
        words = os.strerror(number) if number else _quoted(error.os_error)
        raise ClusterUnavailable(f"{api} cannot be reached: {words}.") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
        raise ClusterUnavailable(f"{api} broke the connection off.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        words = _quoted(error) or type(error).__name__
        raise ClusterUnavailable(f"{api} could not be asked: {words}.") from error


@contextmanager
def configuration_errors(what: str) -> Iterator[None]:
    """Turn what is wrong with a kubeconfig or service account into `ClusterUnavailable`.

    The library finds out about most of it by stumbling.
    """
    try:
        yield
    except (
        ConfigException,
        yaml.YAMLError,
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    ) as error:
        words = _quoted(error) or type(error).__name__
        raise ClusterUnavailable(f"{what} cannot be used: {words}.") from error


def refusal(
    address: str, status: int, headers: Mapping[str, str], body: bytes
) -> ClusterUnavailable:
    """Return what an answer that is no success means."""
    words = _message(body)
    said = f": {words}" if words else ""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            text = (
                f"The Kubernetes API at {address} does not know who is asking{said}."
                " Its token or certificate may have expired: see the kubeconfig or service account."
            )
        case HTTPStatus.FORBIDDEN:
            text = (
                f"The Kubernetes API at {address} does not allow it{said}."
                " A Role and a RoleBinding have to grant this."
            )
        case HTTPStatus.NOT_FOUND:
            text = f"The Kubernetes API at {address} has no such resource{said}."
        case _:
            text = f"The Kubernetes API at {address} answered {status}{said}."
    asked = retry_after_seconds(headers.get("Retry-After", ""), now_ns=time.time_ns())
    seconds = min(asked, _LONGEST_WAIT_SECONDS)
    return ClusterUnavailable(text, status=status, retry_after_seconds=seconds)


def no_kubernetes(address: str) -> ClusterUnavailable:
    """Return what an answer means that Kubernetes would not give."""
    return ClusterUnavailable(
        f"What answers at {address} does not speak as Kubernetes does: it sends no JSON object."
        " See whether the address is that of an API server."
    )


def _message(body: bytes) -> str:
    """Return what a Status says, or a text."""
    try:
        status = json.loads(body)
    except ValueError:
        return _quoted(body.decode("utf-8", "replace"))
    message = status.get("message") if isinstance(status, dict) else None
    return _quoted(message) if isinstance(message, str) else ""


def _quoted(words: object) -> str:
    """Make what others say fit for a line of a log, in the middle of a sentence."""
    return printable(str(words)).strip().removesuffix(".")[:_LONGEST_WORDS]
