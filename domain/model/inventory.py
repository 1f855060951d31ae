"""What changed of the pods and containers that are here."""

from collections.abc import Collection, Iterable

from attrs import evolve, field, frozen

from .pod import Container, ContainerKey, Pod


@frozen(kw_only=True)
class InventoryChange:
    """Containers that `begun` and that `ended` since the last one; `pods` are all there are now."""

    begun: tuple[Container, ...] = ()
    ended: tuple[Container, ...] = ()
    pods: tuple[Pod, ...] = field(default=(), repr=False)


@frozen(kw_only=True)
class InventoryNumbers:
    """How much is known now, and how often it was looked, asked to look, and could not."""

    pods: int = 0
    containers: int = 0
    looks: int = 0
    pokes: int = 0
    failures: int = 0


def containers_of(pods: Iterable[Pod]) -> dict[ContainerKey, Container]:
    """Return the containers of pods, by key."""
    return {container.key: container for pod in pods for container in pod.containers}


def change_between(before: Iterable[Pod], now: Iterable[Pod]) -> InventoryChange | None:
    """Compare two listings; None if the same pods and containers are there."""
    before, now = tuple(before), tuple(now)
    old, new = containers_of(before), containers_of(now)
    begun = tuple(one for key, one in new.items() if key not in old)
    ended = tuple(one for key, one in old.items() if key not in new)
    if not begun and not ended and set(map(_pod_key, before)) == set(map(_pod_key, now)):
        return None
    return InventoryChange(begun=begun, ended=ended, pods=now)


def with_containers(pods: Iterable[Pod], added: Iterable[Container]) -> tuple[Pod, ...]:
    """Add containers to their pods; a pod that is not there yet is made."""
    result = list(pods)
    for one in added:
        alone = Pod(name=one.pod, namespace=one.namespace, uid=one.pod_uid, containers=(one,))
        place = next((n for n, pod in enumerate(result) if _pod_key(pod) == _pod_key(alone)), None)
        if place is None:
            result.append(alone)
        else:
            result[place] = evolve(result[place], containers=(*result[place].containers, one))
    return tuple(result)


def without_containers(pods: Iterable[Pod], container_ids: Collection[str]) -> tuple[Pod, ...]:
    """Leave containers out, by id; their pods stay."""
    return tuple(
        evolve(
            pod,
            containers=tuple(x for x in pod.containers if x.container_id not in container_ids),
        )
        for pod in pods
    )


def _pod_key(pod: Pod) -> tuple[str, str, str]:
    return pod.namespace, pod.name, pod.uid
