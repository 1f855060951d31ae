import pytest

from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.selector import (
    ContainerSelector,
    InvalidSelector,
    NoMatchingContainer,
    check_wildcard,
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
        (ContainerSelector(pod="w[a-f]b-[!1-9]"), True),
        (ContainerSelector(pod="web-[!0]"), False),
        (ContainerSelector(namespace="[rs]hop"), True),
        (ContainerSelector(container="[!m]ain"), False),
        (ContainerSelector(labels="app in (web,db),!canary"), True),
        (ContainerSelector(labels="app,app!=web"), False),
    ],
)
def test_a_container_is_meant_if_every_part_matches(
    selector: ContainerSelector, matches: bool
) -> None:
    web = container("main", "web-0", "shop", labels={"app": "web"})

    assert selector.matches(web) is matches


@pytest.mark.parametrize(
    ("pod_pattern", "namespace"),
    [
        ("a/b/c", "*"),
        ("shop/web", "bank"),
        ("[", "*"),
        ("*", "["),
        ("[a/b]", "*"),
        ("*", "shop/web"),
    ],
)
def test_contradictions_are_refused(pod_pattern: str, namespace: str) -> None:
    with pytest.raises(InvalidSelector):
        ContainerSelector(pod=pod_pattern, namespace=namespace)


def test_selecting_nothing_says_what_was_asked_for() -> None:
    with pytest.raises(
        NoMatchingContainer, match="pod 'web', container '\\*', namespace 'shop', labels 'a=b'"
    ):
        ContainerSelector(pod="web", namespace="shop", labels={"a": "b"}).select([pod("db")])


def test_selecting_returns_the_containers_of_all_pods() -> None:
    first, second, other = container("c", "web-0"), container("c", "web-1"), container("c", "db")
    pods = [pod("web-0", "", first), pod("web-1", "", second), pod("db", "", other)]

    assert ContainerSelector(pod="web-*").select(pods) == (first, second)


@pytest.mark.parametrize(
    ("pod_pattern", "namespace", "place"),
    [
        ("web", "", "web"),
        ("", "", "*"),
        ("shop/web", "", "shop/web"),
        ("web", "shop", "shop/web"),
        ("shop/web", "shop", "shop/web"),
    ],
)
def test_its_place_names_the_namespace_where_one_is_asked_for(
    pod_pattern: str, namespace: str, place: str
) -> None:
    assert ContainerSelector(pod=pod_pattern, namespace=namespace).place == place


def test_a_pod_may_bring_containers_of_any_name() -> None:
    selector = ContainerSelector(pod="shop/web-*", container="main", labels="app=web")

    assert selector.could_match_pod(pod("web-0", "shop"))
    assert not selector.could_match_pod(pod("web-0", "bank"))
    assert not selector.could_match_pod(pod("db-0", "shop"))


def test_the_labels_of_a_pod_count_where_they_are_known() -> None:
    selector = ContainerSelector(labels="app=web")

    assert selector.could_match_pod(Pod(name="p", labels={"app": "web", "tier": "front"}))
    assert not selector.could_match_pod(Pod(name="p", labels={"app": "db"}))
    assert not selector.could_match_pod(Pod(name="p", labels={}))
    assert selector.could_match_pod(Pod(name="p"))
    of_container = ContainerSelector(labels="io.kubernetes.container.name=web")
    assert of_container.could_match_pod(Pod(name="p", labels={"app": "db"}))


def test_nothing_that_matches_is_no_error_where_it_may_be() -> None:
    assert ContainerSelector(pod="web").matching([pod("db", "", container("c", "db"))]) == ()
