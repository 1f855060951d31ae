"""The pods that tracers run in, as the Kubernetes API has them."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from attrs import field, frozen

from .kubernetes_json import members, number, text
from .quoting import printable

_LONGEST_WORDS = 200
_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})


@frozen(kw_only=True)
class TracerPod:
    """One pod; `trouble` says why its tracer cannot be asked, and is empty if it can.

    `node` is empty if it is not known yet, `created` is as Kubernetes writes it and sorts as time
    does, `ports` are the numbers of those that have a name.
    """

    name: str
    node: str = ""
    host: str = ""
    created: str = ""
    trouble: str = ""
    ports: Mapping[str, int] = field(factory=dict)


def read_pod(raw: object) -> TracerPod | None:
    """Understand a pod; one without a name is None, whatever else is missing is its trouble."""
    if not (name := text(raw, "metadata", "name")):
        return None
    host = _address(raw)
    trouble = _trouble(raw) or ("" if host else "has no IP address yet")
    return TracerPod(
        name=name,
        node=text(raw, "spec", "nodeName") or _wanted_node(raw),
        host=host,
        created=text(raw, "metadata", "creationTimestamp"),
        trouble=trouble and f"its pod {name} {trouble}",
        ports=dict(_named_ports(raw)),
    )


def _address(raw: object) -> str:
    """Return the first address; what is none would become a part of a URL."""
    found = [text(raw, "status", "podIP")]
    found += [text(one, "ip") for one in members(raw, "status", "podIPs")]
    return next((one for one in found if one and _is_address(one)), "")


def _is_address(one: str) -> bool:
    try:
        ip_address(one)
    except ValueError:
        return False
    return "%" not in one


def _wanted_node(raw: object) -> str:
    """Return the node that a DaemonSet made a pod for, before it is scheduled."""
    affinity = "requiredDuringSchedulingIgnoredDuringExecution"
    for term in members(raw, "spec", "affinity", "nodeAffinity", affinity, "nodeSelectorTerms"):
        for rule in members(term, "matchFields"):
            values = rule.get("values")
            if text(rule, "key") == "metadata.name" and isinstance(values, list):
                return next((one for one in values if isinstance(one, str)), "")
    return ""


def _named_ports(raw: object) -> Iterator[tuple[str, int]]:
    for container in members(raw, "spec", "containers"):
        for port in members(container, "ports"):
            if text(port, "name") and number(port, "containerPort"):
                yield text(port, "name"), number(port, "containerPort")


def _trouble(raw: object) -> str:
    if text(raw, "metadata", "deletionTimestamp"):
        return "is being deleted"
    phase = text(raw, "status", "phase")
    if phase in ("Failed", "Succeeded"):
        return f"has ended: {_words(raw, 'status') or phase}"
    if waiting := _waiting(raw):
        return waiting
    conditions = {text(one, "type"): one for one in members(raw, "status", "conditions")}
    scheduled, ready = conditions.get("PodScheduled"), conditions.get("Ready")
    if text(scheduled, "status") == "False":
        return f"is not scheduled: {_words(scheduled) or 'no reason is given'}"
    if phase == "Running" and text(ready, "status") == "True":
        return ""
    since = _said(text(ready, "lastTransitionTime"))
    return f"is not ready since {since}" if since else "is not ready"


def _waiting(raw: object) -> str:
    """Say what the first container that does not run waits for."""
    for kind in ("initContainerStatuses", "containerStatuses"):
        for one in members(raw, "status", kind):
            reason = text(one, "state", "waiting", "reason")
            if reason in _PULLING:
                words = _said(text(one, "state", "waiting", "message")) or reason
                return f"cannot get the image {_said(text(one, 'image'))}: {words}"
            if reason == "CrashLoopBackOff":
                return f"ends again and again, the last time with {_ending(one)}"
            if reason:
                return f"waits: {_words(one, 'state', 'waiting')}"
    return ""


def _ending(status: object) -> str:
    code = number(status, "lastState", "terminated", "exitCode")
    reason = _said(text(status, "lastState", "terminated", "reason"))
    return f"exit code {code} ({reason})" if reason else f"exit code {code}"


def _words(one: object, *path: str) -> str:
    reason = _said(text(one, *path, "reason"))
    message = _said(text(one, *path, "message"))
    return ": ".join(word for word in (reason, message) if word)


def _said(words: str) -> str:
    return printable(words[:_LONGEST_WORDS]).strip().removesuffix(".")
