import pytest

from container_tracer.domain.model.pod import (
    Container,
    ContainerSelector,
    InvalidSelector,
    NoMatchingContainer,
    Pod,
    check_wildcard,
    pod_keys,
)


def container(
    name: str, pod: str, namespace: str = "", *, labels: dict[str, str] | None = None
) -> Container:
    return Container(name=name, pod=pod, namespace=namespace, labels=labels or {})


def pod(name: str, namespace: str = "", *containers: Container) -> Pod:
    return Pod(name=name, namespace=namespace, containers=containers)


@pytest.mark.parametrize("pattern", ["", "web-*", "[]a]", "[!]a]", "[a-z]?", "[[]", "a]b", "[!!]"])
def test_patterns_a_shell_understands_are_accepted(pattern: str) -> None:
    check_wildcard("pod", pattern)


@pytest.mark.parametrize("pattern", ["[", "a[", "[]", "[!]", "[!", "[a", "[a][", "[]b[c", "we\nb"])
def test_patterns_that_cannot_be_meant_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidSelector, match="pod pattern"):
        check_wildcard("pod", pattern)


def test_a_bracket_in_a_set_stands_for_itself() -> None:
    selector = ContainerSelector(pod="w[]e]b")

    assert selector.matches(container("c", "w]b"))
    assert not selector.matches(container("c", "wab"))


def test_an_empty_selector_means_everything() -> None:
    everything = container("c", "web", "shop")

    assert ContainerSelector().matches(everything)
    assert ContainerSelector(pod="", container="", namespace="").matches(everything)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (ContainerSelector(pod="web-0"), True),
        (ContainerSelector(pod="WEB-0"), False),
        (ContainerSelector(pod="shop/web-*"), True),
        (ContainerSelector(pod="bank/web-0"), False),
        (ContainerSelector(pod="*", namespace="shop"), True),
        (ContainerSelector(pod="*", namespace="ban?"), False),
        (ContainerSelector(container="mai[n]"), True),
        (ContainerSelector(container="side"), False),
        (ContainerSelector(labels={"app": "web"}), True),
        (ContainerSelector(labels={"app": "db"}), False),
        (ContainerSelector(labels={"tier": "web"}), False),
    ],
)
def test_a_container_is_meant_if_every_part_matches(
    selector: ContainerSelector, matches: bool
) -> None:
    web = container("main", "web-0", "shop", labels={"app": "web"})

    assert selector.matches(web) is matches


@pytest.mark.parametrize(
    ("pod_pattern", "namespace"), [("a/b/c", "*"), ("shop/web", "bank"), ("[", "*"), ("*", "[")]
)
def test_contradictions_are_refused(pod_pattern: str, namespace: str) -> None:
    with pytest.raises(InvalidSelector):
        ContainerSelector(pod=pod_pattern, namespace=namespace)


def test_selecting_nothing_says_what_was_asked_for() -> None:
    with pytest.raises(NoMatchingContainer, match=r"'web'.*namespace 'shop'.*labels"):
        ContainerSelector(pod="web", namespace="shop", labels={"a": "b"}).select([pod("db")])


def test_selecting_returns_the_containers_of_all_pods() -> None:
    first, second, other = container("c", "web-0"), container("c", "web-1"), container("c", "db")
    pods = [pod("web-0", "", first), pod("web-1", "", second), pod("db", "", other)]

    assert ContainerSelector(pod="web-*").select(pods) == (first, second)


def test_pods_are_qualified_only_where_a_name_stands_twice() -> None:
    twins = pod("web", "a"), pod("web", "b")

    assert set(pod_keys([*twins, pod("db", "a")])) == {"a/web", "b/web", "db"}


def test_equal_names_in_two_namespaces_are_different_containers() -> None:
    assert container("c", "web", "a").key != container("c", "web", "b").key
