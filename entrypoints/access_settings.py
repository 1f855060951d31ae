"""What a role can be told about who may use it; each role has variables of its own."""

from typing import Any

from attrs import frozen

from ..adapters.tokens.file import read_token_file
from ..domain.model.token_entries import InvalidTokens
from . import values
from .options import last, option

DEFAULT_REQUEST_RATE = 200
MAX_REQUEST_RATE = 1_000_000


def token_file_option(variable: str) -> Any:  # noqa: ANN401 - as `option`
    """Declare the field of the file that says who may do what, by bearer tokens, or empty."""
    return option(
        "--auth-token-file",
        variable,
        default="",
        parse=last(token_file),
        meaning="a file of bearer tokens, and what each of them allows; default none",
    )


def kubernetes_option(variable: str) -> Any:  # noqa: ANN401 - as `option`
    """Declare the field of whether the Kubernetes cluster decides who may do what."""
    return option(
        "--auth-kubernetes",
        variable,
        default=False,
        parse=last(values.switch),
        switch=True,
        meaning="take tokens of the Kubernetes cluster, and let its roles decide; default off",
    )


def audience_option(variable: str) -> Any:  # noqa: ANN401 - as `option`
    """Declare the field of whom such tokens must be for; empty is the API of Kubernetes."""
    return option(
        "--auth-audience",
        variable,
        default="",
        parse=last(values.one_line),
        meaning="with --auth-kubernetes: the audience that tokens must be for; default that of"
        " the Kubernetes API itself",
    )


@frozen(kw_only=True)
class AccessSettings:
    """Who decides who may do what: a file, a cluster, or nobody; raises `ValueError`."""

    token_file: str = ""
    kubernetes: bool = False
    audience: str = ""
    kubeconfig: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.token_file and self.kubernetes:
            raise ValueError("give either --auth-token-file or --auth-kubernetes, not both")
        if self.audience and not self.kubernetes:
            raise ValueError("--auth-audience needs --auth-kubernetes")


def request_rate_option(variable: str) -> Any:  # noqa: ANN401 - as `option`
    """Declare the field of how many requests a second a client may send; 0 is no limit."""
    return option(
        "--max-request-rate",
        variable,
        default=DEFAULT_REQUEST_RATE,
        parse=last(values.number(0, MAX_REQUEST_RATE)),
        meaning="requests per second that each client may send, twice as many at once; 0 is no"
        f" limit; default {DEFAULT_REQUEST_RATE}",
    )


def token_file(text: str) -> str:
    """Read the path of a file of tokens, and see that it can be used; raise `ValueError`."""
    found = values.path(text)
    try:
        read_token_file(found)
    except OSError as error:
        raise ValueError(f"{text!r} cannot be read: {error.strerror}") from error
    except InvalidTokens as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from error
    return str(found)
