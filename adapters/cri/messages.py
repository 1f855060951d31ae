"""Messages of `runtime.v1` become values of the model."""

from cri_api.v1 import api_pb2 as cri

from ...domain.model.cri import CriContainer, CriDetails, CriSandbox, CriState, read_details


def sandbox_of(message: cri.PodSandbox) -> CriSandbox:
    """Take a sandbox from a list."""
    return CriSandbox(
        sandbox_id=message.id,
        name=message.metadata.name,
        namespace=message.metadata.namespace,
        uid=message.metadata.uid,
        ready=message.state == cri.SANDBOX_READY,
        created_ns=message.created_at,
        handler=message.runtime_handler,
        labels=dict(message.labels),
        annotations=dict(message.annotations),
    )


def container_of(message: cri.Container) -> CriContainer:
    """Take a container from a list."""
    return CriContainer(
        container_id=message.id,
        sandbox_id=message.pod_sandbox_id,
        name=message.metadata.name,
        image=message.image.image,
        state=_state(message.state),
        created_ns=message.created_at,
        labels=dict(message.labels),
    )


def details_of(message: cri.ContainerStatusResponse) -> CriDetails:
    """Take what a verbose status adds."""
    return read_details(message.info, image=message.status.image.image)


def _state(number: int) -> CriState:
    try:
        return CriState(number)
    except ValueError:  # of a later version of the protocol
        return CriState.UNKNOWN
