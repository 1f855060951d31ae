"""What the API of Kubernetes says of tokens and rights; whatever is not a plain yes is a no."""

from typing import Any

import pytest

from container_tracer.domain.model.access import Identity
from container_tracer.domain.model.access_reviews import (
    ReviewedAccess,
    TokenReview,
    access_review,
    is_allowed,
)

REVIEW = TokenReview(token="t0ken", audience="tracer")
USER = {
    "username": "jane",
    "uid": "7",
    "groups": ["dev", "system:authenticated"],
    "extra": {"scope": ["a", "b"]},
}


def answer(**status: Any) -> dict[str, Any]:
    return {"status": {"authenticated": True, "user": USER, "audiences": ["tracer"], **status}}


def test_a_token_is_asked_about_for_its_audience() -> None:
    assert REVIEW.body()["spec"] == {"token": "t0ken", "audiences": ["tracer"]}
    assert TokenReview(token="t").body()["spec"] == {"token": "t"}


def test_a_known_token_is_somebodys() -> None:
    assert REVIEW.identity(answer()) == Identity(
        name="jane",
        uid="7",
        groups=("dev", "system:authenticated"),
        extra={"scope": ("a", "b")},
    )


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"status": None},
        {"status": []},
        answer(authenticated=False),
        answer(authenticated="true"),
        answer(user={}),
        answer(user={"username": ""}),
        answer(user={"username": 7}),
        answer(user=None),
        answer(audiences=[]),
        answer(audiences=None),
        answer(audiences=["other"]),
        answer(audiences="tracer"),
    ],
)
def test_any_other_answer_is_nobody(said: dict[str, Any]) -> None:
    assert REVIEW.identity(said) is None


def test_without_an_audience_the_api_decides_by_its_own() -> None:
    found = TokenReview(token="t").identity(answer(audiences=[]))
    assert found
    assert found.name == "jane"


def test_details_of_a_user_that_make_no_sense_are_left_out() -> None:
    odd = {"username": "jane", "uid": 7, "groups": ["a", 1], "extra": {"scope": "b"}}
    found = REVIEW.identity(answer(user=odd))
    assert found == Identity(name="jane", groups=("a",), extra={"scope": ()})


def test_all_that_is_known_of_a_user_is_asked_about() -> None:
    jane = REVIEW.identity(answer())
    assert jane
    spec = access_review(
        jane, ReviewedAccess(verb="get", resource="tracesessions", namespace="shop")
    )["spec"]
    assert spec == {
        "resourceAttributes": {
            "group": "container-tracer.io",
            "verb": "get",
            "resource": "tracesessions",
            "namespace": "shop",
        },
        "user": "jane",
        "uid": "7",
        "groups": ["dev", "system:authenticated"],
        "extra": {"scope": ["a", "b"]},
    }


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({"status": {"allowed": True}}, True),
        ({"status": {"allowed": False}}, False),
        ({"status": {"allowed": True, "denied": True}}, False),
        ({"status": {"allowed": "true"}}, False),
        ({"status": None}, False),
        ({}, False),
    ],
)
def test_only_a_plain_yes_allows(said: dict[str, Any], *, allowed: bool) -> None:
    assert is_allowed(said) is allowed


def test_a_token_is_not_shown() -> None:
    assert "t0ken" not in repr(REVIEW)
