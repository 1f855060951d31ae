"""The fake speaks as kubelet does: the library of Kubernetes for Python understands it."""

import asyncio
import json
import subprocess
import sys
from typing import Any

from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.manifests import tracer_pod
from container_tracer.fakes.kubernetes.portforward import FakePortForward

# In a process of its own: the library leaves threads and sockets behind.
PROGRAM = """
import json, sys
from contextlib import suppress
from kubernetes.client import ApiClient, Configuration, CoreV1Api
from kubernetes.stream import portforward

url, port, answer = sys.argv[1], int(sys.argv[2]), b""
core = CoreV1Api(ApiClient(Configuration(host=url)))
ask = core.connect_get_namespaced_pod_portforward
forward = portforward(ask, "a", "container-tracer", ports=str(port))
end = forward.socket(port)
end.settimeout(20)
with suppress(OSError):  # where nothing listens
    end.sendall(b"ping")
    answer = end.recv(4)
end.close()
print(json.dumps([answer.decode(), forward.error(port) or ""]))
"""


async def talk(url: str, port: int) -> Any:
    """Say something; return the answer, and what went wrong at the pod."""
    command = (sys.executable, "-c", PROGRAM, url, str(port))
    program = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    said, _ = await program.communicate()
    return json.loads(said)


async def test_the_librarys_own_port_forward_goes_through_it() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(4))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with FakeKubernetesApi() as api, server:
        forward = FakePortForward(objects=api.objects)
        api.subresources["pods", "portforward"] = forward
        await api.objects.put(tracer_pod("a", node="worker-1"))
        forward.targets["a", 8080] = ("127.0.0.1", server.sockets[0].getsockname()[1])
        assert await talk(api.url, 8080) == ["ping", ""]
        answer, error = await talk(api.url, 9)
    assert answer == ""
    assert "error forwarding port 9 to pod a" in error
