"""Which resources there are, and what a request wants of which of them."""

from collections.abc import Mapping

from attrs import field, frozen

_ON = frozenset({"true", "True", "1"})


@frozen(kw_only=True)
class Resource:
    """A kind of objects; `fields` are what it may be selected by beside name and namespace."""

    plural: str
    kind: str
    group: str = ""
    namespaced: bool = True
    fields: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """Return group and version as objects have them."""
        return f"{self.group}/v1" if self.group else "v1"


PODS = Resource(
    plural="pods",
    kind="Pod",
    fields=frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
)
SERVICES = Resource(
    plural="services", kind="Service", fields=frozenset({"spec.clusterIP", "spec.type"})
)
ENDPOINTS = Resource(plural="endpoints", kind="Endpoints")
ENDPOINT_SLICES = Resource(plural="endpointslices", kind="EndpointSlice", group="discovery.k8s.io")
NODES = Resource(plural="nodes", kind="Node", namespaced=False)
NAMESPACES = Resource(plural="namespaces", kind="Namespace", namespaced=False)
TOKEN_REVIEWS = Resource(
    plural="tokenreviews", kind="TokenReview", group="authentication.k8s.io", namespaced=False
)
SUBJECT_ACCESS_REVIEWS = Resource(
    plural="subjectaccessreviews",
    kind="SubjectAccessReview",
    group="authorization.k8s.io",
    namespaced=False,
)

RESOURCES = (
    PODS,
    SERVICES,
    ENDPOINTS,
    ENDPOINT_SLICES,
    NODES,
    NAMESPACES,
    TOKEN_REVIEWS,
    SUBJECT_ACCESS_REVIEWS,
)


@frozen(kw_only=True)
class Call:
    """A request as access rules see it. Those about no resource have their path alone.

    A list or watch that selects one name by a field has this name, as in Kubernetes. `query` and
    `user` are no part of what makes two calls equal.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    query: Mapping[str, str] = field(factory=dict, eq=False)
    user: str = field(default="", eq=False)

    @property
    def described(self) -> Resource | None:
        """Return the resource it is about, if there is such a one."""
        alike = (one for one in RESOURCES if (one.group, one.plural) == (self.group, self.resource))
        return next(alike, None)


def read_call(method: str, path: str, query: Mapping[str, str]) -> Call:
    """Understand a request (kubernetes.io/docs/reference/using-api/api-concepts)."""
    match path.strip("/").split("/"):
        case ["api", "v1", first, *rest]:
            group = ""
        case ["apis", group, "v1", first, *rest]:
            pass
        case _:
            return Call(verb=method.lower(), path=path, query=query)
    namespace, parts = "", [first, *rest]
    if first == "namespaces" and len(rest) > 1:
        namespace, *parts = rest
    resource, name, subresource = (*parts, "", "")[:3]
    return Call(
        verb=_verb(method, name, query),
        group=group,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name or _selected_name(query),
        query=query,
    )


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    match method:
        case "GET" | "HEAD":
            if name:
                return "get"
            return "watch" if query.get("watch") in _ON else "list"
        case "DELETE":
            return "delete" if name else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


def _selected_name(query: Mapping[str, str]) -> str:
    terms = (term.partition("=") for term in query.get("fieldSelector", "").split(","))
    return next((value.lstrip("=") for key, _, value in terms if key == "metadata.name"), "")
