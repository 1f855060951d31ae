"""How to connect to the API of Kubernetes: out of a kubeconfig, or a service account."""

from asyncio import to_thread
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import KubeConfigLoader, load_kube_config

from ...ports.errors import ClusterUnavailable
from .errors import configuration_errors
from .settings import KubernetesSettings


async def configure(settings: KubernetesSettings) -> tuple[Configuration, str]:
    """Return how to connect, and the namespace one is in; raise `ClusterUnavailable`."""
    configuration = Configuration()
    if not (paths := settings.kubeconfig_paths):
        return _in_cluster(settings, configuration)
    if not await to_thread(_exists, paths):
        raise ClusterUnavailable(
            f"There is no kubeconfig at {paths}, and this is no pod of a cluster."
            " Name one with --kubeconfig or KUBECONFIG."
        )
    with configuration_errors(f"The kubeconfig {paths}"):
        loader = await load_kube_config(  # type: ignore[no-untyped-call]
            config_file=paths,
            context=settings.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        return configuration, _namespace_of(loader)


def _exists(paths: str) -> bool:
    return any(Path(one).expanduser().is_file() for one in paths.split(":") if one)


def _in_cluster(
    settings: KubernetesSettings, configuration: Configuration
) -> tuple[Configuration, str]:
    folder = settings.service_account
    with configuration_errors(f"The service account in {folder}"):
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=str(folder / "token"),
            cert_filename=str(folder / "ca.crt"),
            environ=settings.environ,
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        return configuration, (folder / "namespace").read_text().strip()


def _namespace_of(loader: KubeConfigLoader) -> str:
    return str(loader.current_context["context"].get("namespace") or "default")
