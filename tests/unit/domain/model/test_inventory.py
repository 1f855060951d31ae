from attrs import evolve

from container_tracer.domain.model.inventory import (
    InventoryChange,
    change_between,
    containers_of,
    with_containers,
    without_containers,
)
from container_tracer.domain.model.pod import Container, Pod

WEB = Container(name="web", pod="shop", namespace="sales", pod_uid="u1", container_id="a" * 64)
DB = Container(name="db", pod="shop", namespace="sales", pod_uid="u1", container_id="b" * 64)
SHOP = Pod(name="shop", namespace="sales", uid="u1", containers=(WEB,))


def test_what_is_there_only_now_has_begun_and_what_was_there_only_before_has_ended() -> None:
    now = (evolve(SHOP, containers=(DB,)),)
    assert change_between([SHOP], now) == InventoryChange(begun=(DB,), ended=(WEB,), pods=now)


def test_what_is_known_better_is_no_change() -> None:
    known_better = evolve(SHOP, containers=(evolve(WEB, tasks=(1, 2)),))
    assert change_between([SHOP], [known_better]) is None


def test_a_pod_without_containers_is_a_change() -> None:
    empty = Pod(name="empty", uid="u2")
    assert change_between([SHOP], [SHOP, empty]) == InventoryChange(pods=(SHOP, empty))


def test_a_container_is_added_to_its_pod_or_to_a_new_one() -> None:
    other = evolve(WEB, namespace="tests", pod_uid="u9")
    pods = with_containers([SHOP], [DB, other])
    assert [pod.containers for pod in pods] == [(WEB, DB), (other,)]
    assert (pods[1].name, pods[1].namespace, pods[1].uid) == ("shop", "tests", "u9")


def test_pods_of_the_same_name_and_uid_are_all_kept() -> None:
    twin = evolve(SHOP, containers=(DB,))
    assert with_containers([SHOP, twin], []) == (SHOP, twin)


def test_containers_are_left_out_and_their_pods_stay() -> None:
    pods = without_containers([SHOP], {WEB.container_id})
    assert pods == (evolve(SHOP, containers=()),)
    assert containers_of([SHOP, *pods]) == {WEB.key: WEB}
