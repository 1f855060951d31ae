"""Who may use a server: what was said about that, put together."""

from attrs import frozen

from ..adapters.tokens.file import read_token_file
from ..domain.model.token_entries import InvalidTokens
from . import values


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
