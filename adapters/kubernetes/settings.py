"""Where the API of Kubernetes is, and as whom it is asked."""

import os
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@frozen(kw_only=True)
class KubernetesSettings:
    """A kubeconfig, or the service account of the pod this runs in.

    Without `kubeconfig` it is `$KUBECONFIG`, or else the service account, or else the file where
    kubectl has its own. `context` is one of the kubeconfig, else its current one. `namespace` is
    asked for objects; without one it is that of the service account or of the context.
    """

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""
    timeout_seconds: float = 10.0
    service_account: Path = SERVICE_ACCOUNT
    environ: Mapping[str, str] = field(factory=lambda: dict(os.environ), repr=False)

    @property
    def kubeconfig_paths(self) -> str:
        """Return the files to read, with colons in between; empty is the service account."""
        if chosen := self.kubeconfig or self.environ.get("KUBECONFIG", ""):
            return chosen
        if self.environ.get("KUBERNETES_SERVICE_HOST"):
            return ""
        return str(Path(self.environ.get("HOME", "/"), ".kube", "config"))
