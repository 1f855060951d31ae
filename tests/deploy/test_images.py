"""Images are built with what they need, and are those that the manifests name."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from .conftest import Manifest, containers, pods_of

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/docker/Dockerfile").read_text()


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make here")
def test_make_docker_builds_the_images_of_the_manifests(base: Sequence[Manifest]) -> None:
    command = ["make", "--dry-run", "--always-make", "docker", "BUILDER=buildah"]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    built = dict(re.findall(r'--target (\S+) --tag "(\S+)"', said))
    named = {f"tracer-{role}": one["image"] for role, one in containers(base).items()}
    assert built == named


def test_a_stage_is_an_image(base: Sequence[Manifest]) -> None:
    stages = re.findall(r"^FROM scratch AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert stages == [one["name"] for one in containers(base).values()]


def test_the_image_of_svc_runs_as_whom_the_deployment_says(base: Sequence[Manifest]) -> None:
    context = pods_of(base)["svc"]["spec"]["securityContext"]
    ((user, group),) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert (int(user), int(group)) == (context["runAsUser"], context["runAsGroup"])


def test_builders_see_all_that_a_wheel_is_made_of_and_nothing_private() -> None:
    shown = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    script = (ROOT / "scripts/wheel").read_text()
    (copied,) = re.findall(r"^cp -R (.*) \"\$work/source\"$", script, re.MULTILINE)
    assert shown == {*copied.split(), "deploy/docker", "requirements", "scripts"}
