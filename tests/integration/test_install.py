"""`make install`, for real: the program that it leaves runs without this checkout."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from container_tracer import __version__

ROOT = Path(__file__).parents[2]
LOADED = """
import sys
import container_tracer.domain.model.pod as pod
heavy = {"sanic", "grpc", "kubernetes", "opentelemetry", "dependency_injector"}
print(pod.__file__, sorted(heavy & sys.modules.keys()))
"""

pytestmark = [
    pytest.mark.skipif(not shutil.which("make"), reason="there is no make here"),
    pytest.mark.timeout(300),
]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    # Not inherited: what this environment adds to every Python would hide what is missing.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("install") / "prefix"
    said = run("make", "install", f"PREFIX={folder}")
    assert f"tracer-node {__version__}" in said
    assert f"tracer-svc {__version__}" in said
    assert f"container-tracer {__version__}" in said
    assert f"kubectl-ctrace {__version__}" in said
    assert f"to uninstall: rm -rf {folder}/lib/container-tracer {folder}/bin/{{tracer-node" in said
    yield folder
    shutil.rmtree(folder)


@pytest.mark.xdist_group("install")
def test_the_program_runs_from_anywhere(prefix: Path, tmp_path: Path) -> None:
    said = run(prefix / "bin/tracer-node", "--version", cwd=tmp_path)
    assert said == f"tracer-node {__version__}\n"


@pytest.mark.xdist_group("install")
def test_it_has_everything_that_serving_takes(prefix: Path, tmp_path: Path) -> None:
    python = prefix / "lib/container-tracer/bin/python"
    code = "import container_tracer.entrypoints.node.wiring as w; w.node_blueprints(); print('ok')"
    assert run(python, "-c", code, cwd=tmp_path) == "ok\n"


@pytest.mark.xdist_group("install")
def test_the_domain_loads_no_framework(prefix: Path, tmp_path: Path) -> None:
    path, heavy = run(prefix / "lib/container-tracer/bin/python", "-c", LOADED, cwd=tmp_path).split(
        maxsplit=1
    )
    assert path.startswith(str(prefix))
    assert heavy == "[]\n"


@pytest.mark.xdist_group("install")
def test_the_client_runs_and_loads_no_server(prefix: Path, tmp_path: Path) -> None:
    said = run(prefix / "bin/container-tracer", "--version", cwd=tmp_path)
    assert said == f"container-tracer {__version__}\n"
    code = LOADED.replace("domain.model.pod", "client")
    path, heavy = run(prefix / "lib/container-tracer/bin/python", "-c", code, cwd=tmp_path).split(
        maxsplit=1
    )
    assert path.startswith(str(prefix))
    assert heavy == "[]\n"


@pytest.mark.xdist_group("install")
def test_again_is_harmless(prefix: Path, tmp_path: Path) -> None:
    before = (ROOT / "pyproject.toml").stat().st_mtime_ns
    run("make", "install", f"PREFIX={prefix}")
    assert run(prefix / "bin/tracer-node", "--version", cwd=tmp_path)
    assert sorted(one.name for one in prefix.iterdir()) == ["bin", "lib"]
    assert (ROOT / "pyproject.toml").stat().st_mtime_ns == before
