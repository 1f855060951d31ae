"""Whose a span from a virtual machine is: the resource it is exported with.

What the host knows counts; what the guest says of itself is added where that takes nothing's place.
"""

import re
from collections.abc import Mapping
from itertools import islice

from ..pod import Pod
from ..single_span import AttributeMap, AttributeValue
from ..span_attributes import ServiceResource
from .agent_span import OURS
from .peer import GuestPeer

MAX_GUEST_ATTRIBUTES = 32
MAX_TEXT_CHARACTERS = 256

RESERVED_PREFIXES = (
    "cloud.",
    "container.",
    OURS,
    "host.",
    "k8s.",
    "otel.",
    "service.",
    "telemetry.",
)
"""Who somebody is, where he runs, and what we say ourselves: no guest says that of itself."""

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,127}", re.IGNORECASE | re.ASCII)


def guest_words(said: AttributeMap) -> AttributeMap:
    """Return what a guest may say of itself, of all that it says: not much, and not who it is."""
    allowed = (name for name, value in said.items() if _may_say(name, value))
    return {name: said[name] for name in islice(allowed, MAX_GUEST_ATTRIBUTES)}


def guest_resource(
    resource: ServiceResource, *, peer: GuestPeer, pod: Pod | None, words: AttributeMap
) -> AttributeMap:
    """Describe a virtual machine: `words` is what it may say of itself, `pod` whose it is."""
    known: Mapping[str, AttributeValue] = {
        **resource.attributes,
        **(_of_pod(pod) if pod else {}),
        "container_tracer.sandbox.id": peer.sandbox_id,
        "container_tracer.vmm": peer.vmm,
        "container_tracer.guest.address": "" if peer.sandbox_id else peer.address,
    }
    return {**words, **{name: value for name, value in known.items() if value}}


def _of_pod(pod: Pod) -> AttributeMap:
    """Describe a pod of Kubernetes, or the one container that a virtual machine is for."""
    runtimes = {one.runtime for one in pod.containers}
    runtime = {"container.runtime.name": runtimes.pop() if len(runtimes) == 1 else ""}
    if pod.namespace or pod.uid:
        return {
            **runtime,
            "k8s.namespace.name": pod.namespace,
            "k8s.pod.name": pod.name,
            "k8s.pod.uid": pod.uid,
        }
    names = {one.name: one.container_id for one in pod.containers}
    if len(names) != 1:
        return runtime
    ((name, container_id),) = names.items()
    return {**runtime, "container.name": name, "container.id": container_id}


def _may_say(name: str, value: AttributeValue) -> bool:
    if not _NAME.fullmatch(name) or name.lower().startswith(RESERVED_PREFIXES):
        return False
    if isinstance(value, str):
        return len(value) <= MAX_TEXT_CHARACTERS
    return not isinstance(value, tuple)
