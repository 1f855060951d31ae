"""What the description of each role's API says is true of a server that really runs.

Schemathesis makes requests of it, such that fit and such that do not, and checks the answers:
no fault of the server, no status, media type, header or body that is not described, nothing
accepted that is described as wrong.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from attrs import frozen

from tests.integration.node.conftest import StartBox, StartNode

from .conftest import StartSvc

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)
"""All but that what fits is accepted: arguments of hooks and labels have rules beyond schemas."""

CONFIGURATION = """
[checks.negative_data_rejection]
# A query that is too long does not fit into the head of a request.
expected-statuses = [400, 404, 405, 413, 415, 422]
"""

OF_A_SESSION = """
[parameters]
"path.session_id" = "{session}"
"""


CALM = "import time\nwhile True: time.sleep(0.1)"


@frozen
class Cluster:
    """The URLs of both roles, and the id of a session that both know."""

    node: str
    svc: str
    session: str


@pytest.fixture
def cluster(start_node: StartNode, start_box: StartBox, start_svc: StartSvc) -> Cluster:
    box = start_box(CALM)
    nodes = [start_node("--max-request-rate", "10000") for _ in range(2)]
    svc = start_svc(*nodes, flags=("--max-request-rate", "10000"))
    body = {"pod": box.pod(nodes[0]), "trace-hook": "trace_syscalls", "exporters": []}
    box.pod(nodes[1])
    (made,) = {one["Group"] for one in svc.ask("POST", "/v1/trace-session", body).json.values()}
    return Cluster(nodes[0].url, svc.url, made)


@pytest.mark.parametrize("role", ["node", "svc"])
def test_every_answer_is_as_described(cluster: Cluster, tmp_path: Path, role: str) -> None:
    url: str = getattr(cluster, role)
    check(url, tmp_path, CONFIGURATION)
    check(
        *(url, tmp_path, CONFIGURATION + OF_A_SESSION.format(session=cluster.session)),
        *("--include-path-regex", "session_id", "--exclude-path-regex", "events$"),
        *("--exclude-method", "DELETE"),
    )


def check(url: str, folder: Path, configuration: str, *flags: str) -> None:
    """Fail with what Schemathesis found out about a server."""
    file = folder / "schemathesis.toml"
    file.write_text(configuration)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(file)),
        *("run", f"{url}/openapi.json", "--checks", ",".join(CHECKS), "--max-examples", "10"),
        *("--phases", "examples,coverage,fuzzing", "--generation-deterministic"),
        *("--request-timeout", "20", "--no-color", "--max-failures", "50", *flags),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, cwd=folder
    )
    assert done.returncode == 0, done.stdout + done.stderr
