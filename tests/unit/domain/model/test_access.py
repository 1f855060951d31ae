"""What somebody's rights make of what he asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.access import (
    EVERYTHING,
    Action,
    Forbidden,
    Rights,
    allows,
    covers,
    namespaces_in_question,
    namespaces_of_session,
    unlimited,
)
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer

SHOP = Rights(action=Action.CREATE, hooks=("trace_syscalls",), namespaces=("shop",))


def in_namespace(namespace: str) -> Container:
    return Container(name="main", pod="web-0", namespace=namespace)


def test_a_selection_is_narrowed_to_what_is_allowed() -> None:
    narrowed = SHOP.narrow(ContainerSelector(pod="*"))
    assert narrowed.matches(in_namespace("shop"))
    assert not narrowed.matches(in_namespace("bank"))
    assert not narrowed.matches(in_namespace(""))


def test_a_narrowed_selection_waits_for_no_pod_outside_of_it() -> None:
    narrowed = SHOP.narrow(ContainerSelector(pod="web-*"))
    assert narrowed.could_match_pod(Pod(name="web-1", namespace="shop"))
    assert not narrowed.could_match_pod(Pod(name="web-1", namespace="bank"))


def test_a_narrowed_selection_says_its_limits_where_nothing_matches() -> None:
    with pytest.raises(NoMatchingContainer, match=r"within what you may trace \(shop\)"):
        SHOP.narrow(ContainerSelector()).select([])


@pytest.mark.parametrize(
    "selector", [ContainerSelector(namespace="bank"), ContainerSelector(pod="bank/web-*")]
)
def test_a_namespace_that_is_named_and_not_allowed_is_forbidden(
    selector: ContainerSelector,
) -> None:
    with pytest.raises(Forbidden, match=r"create trace sessions in namespace 'bank'.*in: shop"):
        SHOP.narrow(selector)


def test_a_pattern_of_namespaces_is_narrowed_and_not_forbidden() -> None:
    narrowed = SHOP.narrow(ContainerSelector(namespace="*o*"))
    assert narrowed.matches(in_namespace("shop"))
    assert not narrowed.matches(in_namespace("tools"))


def test_narrowing_never_widens() -> None:
    mine = SHOP.narrow(ContainerSelector(namespace="shop"))
    assert not mine.matches(in_namespace("bank"))
    assert not mine.matches(in_namespace(""))


def test_a_hook_that_is_not_allowed_is_forbidden() -> None:
    SHOP.check_hook("trace_syscalls")
    with pytest.raises(Forbidden, match="'trace_exec'; you may use: trace_syscalls"):
        SHOP.check_hook("trace_exec")


def test_containers_without_a_namespace_are_for_those_without_limits() -> None:
    everything = unlimited(Action.CREATE).narrow(ContainerSelector())
    assert everything.matches(in_namespace(""))
    assert not allows(("shop", "?*"), "")


@pytest.mark.parametrize(
    ("selector", "covered"),
    [
        (ContainerSelector(namespace="shop"), True),
        (ContainerSelector(pod="shop/*"), True),
        (ContainerSelector(within=("shop",)), True),
        (ContainerSelector(namespace="s*", within=("shop",)), True),
        (ContainerSelector(namespace="shop", within=("shop", "bank")), True),
        (ContainerSelector(), False),
        (ContainerSelector(namespace="s*"), False),
        (ContainerSelector(within=("shop", "bank")), False),
    ],
)
def test_a_session_is_covered_if_it_can_show_nothing_that_is_not_allowed(
    selector: ContainerSelector,
    *,
    covered: bool,
) -> None:
    assert SHOP.cover("trace_syscalls", selector) is covered
    assert not SHOP.cover("trace_exec", selector)
    assert unlimited(Action.GET).cover("trace_exec", selector)


@pytest.mark.parametrize(
    ("pattern", "other", "covered"),
    [
        ("*", "anything-*", True),
        ("shop-*", "shop-*", True),
        ("shop-*", "shop-eu-?", True),
        ("shop-*", "shop-1", True),
        ("shop-*", "shop*", False),
        ("shop-?", "shop-*", False),
        ("shop-?", "shop-1", True),
        ("*b]", "[ab]", False),
        ("shop", "sho[p]", False),
    ],
)
def test_a_pattern_covers_those_that_match_no_more(
    pattern: str, other: str, *, covered: bool
) -> None:
    assert covers((pattern,), other) is covered
    assert not covers((), other)


NAMES = st.text("ab*?[]!-", max_size=6)


@given(pattern=NAMES, other=NAMES, name=st.text("ab-", max_size=6))
def test_what_a_covered_pattern_matches_the_covering_one_does(
    pattern: str, other: str, name: str
) -> None:
    if covers((pattern,), other) and allows((other,), name):
        assert allows((pattern,), name)


def test_only_what_a_selection_may_mean_is_asked_for() -> None:
    known = ["shop", "shop-eu", "bank", ""]
    assert namespaces_in_question(ContainerSelector(), known) == {"shop", "shop-eu", "bank"}
    assert namespaces_in_question(ContainerSelector(namespace="shop*"), known) == {
        "shop",
        "shop-eu",
    }
    assert namespaces_in_question(ContainerSelector(namespace="new"), known) == {"new"}


def test_to_see_a_session_its_namespaces_must_be_allowed() -> None:
    assert namespaces_of_session(ContainerSelector(within=("shop", "eu-*"))) == {"shop"}
    assert namespaces_of_session(ContainerSelector(pod="bank/*")) == {"bank"}
    assert namespaces_of_session(ContainerSelector(within=EVERYTHING)) == frozenset()
