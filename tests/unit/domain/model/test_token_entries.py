"""Documents of tokens are read whole, or refused with the place and without the token."""

from hashlib import sha256
from typing import Any

import pytest

from container_tracer.domain.model.access import (
    AccessQuestion,
    Action,
    Forbidden,
    Unauthenticated,
)
from container_tracer.domain.model.token_entries import (
    InvalidTokens,
    TokenEntry,
    find_token,
    token_entries,
)

SECRET = "s3cret-s3cret-s3cret"
CREATE = AccessQuestion(action=Action.CREATE)


def seconds_of(given: object) -> float:
    if not isinstance(given, str):
        raise ValueError("no date")  # noqa: TRY004 - as the reader is told to
    return float(given)


def entry(**keys: Any) -> TokenEntry:
    return token_entries({"tokens": [{"name": "ci", "token": SECRET, **keys}]}, seconds_of)[0]


def test_a_token_without_limits_may_do_everything() -> None:
    rights = entry().rights(CREATE)
    assert (rights.hooks, rights.namespaces) == (("*",), ("*",))


def test_a_token_has_the_limits_it_is_given() -> None:
    one = entry(hooks=["trace_*"], namespaces=["shop", "eu-?"], actions=["get", "create"])
    rights = one.rights(CREATE)
    assert (rights.hooks, rights.namespaces) == (("trace_*",), ("shop", "eu-?"))
    with pytest.raises(Forbidden, match="'ci' may not delete trace sessions; it may: create, get"):
        one.rights(AccessQuestion(action=Action.DELETE))


def test_a_token_may_be_given_by_its_hash() -> None:
    digest = sha256(SECRET.encode()).hexdigest()
    document = {"tokens": [{"name": "ci", "sha256": digest.upper()}]}
    assert find_token(token_entries(document, seconds_of), SECRET).name == "ci"


def test_every_token_finds_its_own_entry_and_no_other_does() -> None:
    document = {"tokens": [{"name": f"n{i}", "token": f"{SECRET}{i}"} for i in range(3)]}
    entries = token_entries(document, seconds_of)
    assert [find_token(entries, f"{SECRET}{i}").name for i in range(3)] == ["n0", "n1", "n2"]
    for wrong in ("", SECRET, f"{SECRET}3", f"{SECRET}0 ", "\udcff"):
        with pytest.raises(Unauthenticated, match="not known"):
            find_token(entries, wrong)


def test_a_token_expires_at_its_time() -> None:
    one = entry(expires="100")
    one.check_time(100 * 10**9 - 1)
    with pytest.raises(Unauthenticated, match="'ci' has expired"):
        one.check_time(100 * 10**9)
    entry().check_time(2**62)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "one key, 'tokens'"),
        ([], "one key"),
        ({"tokens": [], "more": 1}, "one key"),
        ({"tokens": []}, "at least one"),
        ({"tokens": {"a": 1}}, "must be a list"),
        ({"tokens": ["x"]}, "Token 1 is no object"),
        ({"tokens": [{"name": "a", "token": SECRET, "namespace": ["x"]}]}, "Token 1 has a key"),
        ({"tokens": [{"name": "a", "token": SECRET, 5: ["x"]}]}, "Token 1 has a key"),
        ({"tokens": [{"token": SECRET}]}, "has no name"),
        ({"tokens": [{"name": "a\nb", "token": SECRET}]}, "has no name"),
        ({"tokens": [{"name": 7, "token": SECRET}]}, "has no name"),
    ],
)
def test_a_document_that_is_none_of_tokens_is_refused(document: object, said: str) -> None:
    with pytest.raises(InvalidTokens, match=said):
        token_entries(document, seconds_of)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"token": "short"}, "too weak"),
        ({"token": "a" * 40}, "too weak"),
        ({"token": 12345678901234567890}, "must be a text"),
        ({"token": "with blanks in between"}, "must be a text"),
        ({"token": SECRET + "\n"}, "must be a text"),
        ({"sha256": "00" * 32}, "either 'token' or 'sha256'"),
        ({"hooks": "trace_exec"}, "'hooks' must be a list"),
        ({"hooks": []}, "'hooks' must be a list"),
        ({"namespaces": [1]}, "'namespaces' must be a list"),
        ({"namespaces": ["a/b"]}, "'namespaces' may have names"),
        ({"namespaces": [""]}, "'namespaces' may have names"),
        ({"namespaces": ["[ab]"]}, "'namespaces' may have names"),
        ({"actions": ["look"]}, "'actions' may have get, create, update, delete"),
        ({"expires": 5}, "'expires' must be a date"),
    ],
)
def test_a_token_that_cannot_be_meant_is_refused_and_not_shown(
    keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidTokens, match=f"Token 1.*{said}") as refused:
        entry(**keys)
    assert SECRET not in str(refused.value)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize("digest", ["", "00", "z" * 64, 12])
def test_a_hash_that_is_none_is_refused(digest: object) -> None:
    with pytest.raises(InvalidTokens, match="64 hexadecimal digits"):
        token_entries({"tokens": [{"name": "a", "sha256": digest}]}, seconds_of)


def test_neither_token_nor_hash_is_refused() -> None:
    with pytest.raises(InvalidTokens, match="either 'token' or 'sha256'"):
        token_entries({"tokens": [{"name": "a"}]}, seconds_of)


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"name": "ci", "token": SECRET + "2"}, "Tokens 1 and 2 have the same name"),
        ({"name": "cd", "token": SECRET}, "Tokens 1 and 2 have the same token"),
        (
            {"name": "cd", "sha256": sha256(SECRET.encode()).hexdigest()},
            "Tokens 1 and 2 have the same token",
        ),
    ],
)
def test_tokens_given_twice_are_refused(second: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidTokens, match=said):
        token_entries({"tokens": [{"name": "ci", "token": SECRET}, second]}, seconds_of)


def test_an_entry_never_shows_its_hash() -> None:
    assert sha256(SECRET.encode()).hexdigest() not in repr(entry())
    assert "digest" not in repr(entry())
