"""What both roles are told about access: taken whole, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from container_tracer.entrypoints.access_settings import AccessSettings
from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.svc import settings as svc

TOKEN = "t0ken-0123456789abcdef"

Read: TypeAlias = Callable[..., Any]


@pytest.fixture(params=[("TRACER", node.read_settings), ("TRACE_KUBE", svc.read_settings)])
def role(request: pytest.FixtureRequest) -> tuple[str, Read]:
    made: tuple[str, Read] = request.param
    return made


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_text(f"tokens: [{{name: ci, token: {TOKEN}}}]")
    return path


def test_without_any_a_role_is_open_and_has_a_limit_of_requests(role: tuple[str, Read]) -> None:
    settings = role[1]([], {})
    assert settings.access == AccessSettings()
    assert settings.request_rate == 200


def test_a_file_or_a_cluster_may_decide(role: tuple[str, Read], tokens: Path) -> None:
    prefix, read = role
    by_flag = read(["--auth-token-file", str(tokens), "--max-request-rate=0"], {})
    assert (by_flag.access.token_file, by_flag.request_rate) == (str(tokens), 0)
    by_variable = read([], {f"{prefix}_AUTH_TOKEN_FILE": str(tokens)})
    assert by_variable.access == by_flag.access
    cluster = read(["--auth-kubernetes", "--auth-audience", "tracer"], {}).access
    assert (cluster.kubernetes, cluster.audience) == (True, "tracer")
    variables = {f"{prefix}_AUTH_KUBERNETES": "1", f"{prefix}_AUTH_AUDIENCE": "tracer"}
    assert read([], variables).access == cluster
    assert read([], {f"{prefix}_MAX_REQUEST_RATE": "7"}).request_rate == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "one key, 'tokens'"),
        ("tokens: []", "at least one token"),
        (f"tokens: [{{name: a, token: {TOKEN}", "no YAML"),
        ("tokens: [{name: a, token: short}]", "too weak"),
    ],
)
def test_a_file_that_cannot_be_used_ends_the_program_before_it_begins(
    role: tuple[str, Read],
    tokens: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    said: str,
) -> None:
    tokens.unlink()
    if text is not None:
        tokens.touch(mode=0o600)
        tokens.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        role[1](["--auth-token-file", str(tokens)], {})
    (line,) = capsys.readouterr().err.splitlines()
    assert "--auth-token-file" in line
    assert said in line
    assert TOKEN not in line


def test_a_file_everybody_may_read_is_refused(
    role: tuple[str, Read], tokens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens.chmod(0o644)
    with pytest.raises(SystemExit, match="2"):
        role[1](["--auth-token-file", str(tokens)], {})
    assert "chmod o-rwx" in capsys.readouterr().err


def test_what_contradicts_itself_is_refused(
    role: tuple[str, Read], tokens: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags in (
        ["--auth-token-file", str(tokens), "--auth-kubernetes"],
        ["--auth-audience", "tracer"],
        ["--max-request-rate", "-1"],
    ):
        with pytest.raises(SystemExit, match="2"):
            role[1](flags, {})
        assert len(capsys.readouterr().err.splitlines()) == 1
