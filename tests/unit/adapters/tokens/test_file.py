"""A file of tokens is read again when it changes, and not believed when it is broken."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from container_tracer.adapters.tokens.access_control import TokenFileAccessControl
from container_tracer.adapters.tokens.file import TokenFile, read_token_file
from container_tracer.domain.model.access import AccessQuestion, Action, Unauthenticated
from container_tracer.domain.model.token_entries import InvalidTokens
from container_tracer.fakes.clock import FakeClock

OLD, NEW = "old-token-0123456789", "new-token-9876543210"
QUESTION = AccessQuestion(action=Action.GET)


def write(path: Path, text: str, mode: int = 0o640) -> Path:
    """Replace a file at once, as orchestrators do."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)
    return path


def one_token(token: str, **keys: str) -> str:
    return json.dumps({"tokens": [{"name": "ci", "token": token, **keys}]})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "tokens", one_token(OLD))


def opened(path: Path, clock: FakeClock | None = None) -> TokenFileAccessControl:
    file = TokenFile(path)
    file.load()
    return TokenFileAccessControl(file=file, clock=clock or FakeClock())


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o601])
def test_a_file_everybody_may_use_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(InvalidTokens, match="chmod o-rwx"):
        read_token_file(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "one key, 'tokens'"),
        ("tokens: [", "no YAML, at line 1, column 10"),
        (f"tokens: [{{name: ci, token: {OLD}", "no YAML, at line"),
        (f"tokens: !!python/object:{OLD} x", "no YAML, at line"),
        ("\0", "no YAML"),
        ("expires: 2026-99-99", "no YAML"),
        ("[" * 5000, "no YAML"),
    ],
)
def test_a_file_that_is_no_document_of_tokens_is_refused_without_quoting_it(
    path: Path, text: str, said: str
) -> None:
    write(path, text)
    with pytest.raises(InvalidTokens, match=said) as refused:
        read_token_file(path)
    assert OLD not in str(refused.value)


def test_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    huge = write(tmp_path / "huge", "#" * (4 * 2**20 + 1))
    with pytest.raises(InvalidTokens, match="larger than"):
        read_token_file(huge)
    with pytest.raises(OSError, match="directory"):
        read_token_file(tmp_path)


@pytest.mark.parametrize(
    "expires", ["2030-01-31", '"2030-01-31"', "2030-01-31T00:00:00Z", "2030-01-31 01:00:00+01:00"]
)
def test_dates_are_read_as_people_write_them(path: Path, expires: str) -> None:
    write(path, f"tokens: [{{name: ci, token: {OLD}, expires: {expires}}}]")
    assert read_token_file(path)[0].expires_ns == 1_896_048_000 * 10**9


async def test_a_new_file_counts_at_once(path: Path) -> None:
    access = opened(path)
    assert (await access.identify(OLD)).name == "ci"
    write(path, one_token(NEW))
    assert (await access.identify(NEW)).name == "ci"
    with pytest.raises(Unauthenticated):
        await access.identify(OLD)


async def test_a_broken_new_file_keeps_the_old_tokens_and_says_so_once(path: Path) -> None:
    access = opened(path)
    write(path, f"tokens: [{NEW}")
    with capture_logs() as logs:
        for _ in range(3):
            await access.identify(OLD)
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("tokens.not_loaded", "error")
    assert "no YAML" in access.file.failure
    assert NEW not in str(logs)
    write(path, one_token(NEW))
    await access.identify(NEW)
    assert access.file.failure == ""


async def test_a_file_that_is_gone_for_a_while_keeps_the_old_tokens(path: Path) -> None:
    access = opened(path)
    Path.unlink(path)
    with capture_logs() as logs:
        await access.identify(OLD)
        await access.identify(OLD)
    assert [line["event"] for line in logs] == ["tokens.not_loaded"]
    assert "No such file" in access.file.failure
    write(path, one_token(NEW))
    await access.identify(NEW)
    assert access.file.failure == ""


async def test_a_file_that_becomes_open_to_everybody_is_not_taken(path: Path) -> None:
    access = opened(path)
    write(path, one_token(NEW), mode=0o644)
    with pytest.raises(Unauthenticated):
        await access.identify(NEW)
    assert "chmod o-rwx" in access.file.failure


async def test_a_file_is_read_only_when_it_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = opened(path)
    reads = []
    monkeypatch.setattr(Path, "open", lambda *_: reads.append(1))
    for _ in range(3):
        await access.identify(OLD)
    assert reads == []


async def test_whose_token_expires_or_vanishes_between_two_questions_has_no_rights(
    path: Path,
) -> None:
    write(path, one_token(OLD, expires="2030-01-31"))
    clock = FakeClock(wall=1_896_048_000 * 10**9 - 1)
    access = opened(path, clock)
    identity = await access.identify(OLD)
    clock.advance(1.0)
    with pytest.raises(Unauthenticated, match="expired"):
        await access.rights(identity, QUESTION)
    write(path, json.dumps({"tokens": [{"name": "other", "token": NEW}]}))
    with pytest.raises(Unauthenticated, match="no token of 'ci' any more"):
        await access.rights(identity, QUESTION)
