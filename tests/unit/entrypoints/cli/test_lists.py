"""`pods` and `hooks` against an API without a tracer."""

from typing import Any

import pytest

from container_tracer.entrypoints.cli.command import UsageError


async def test_hooks_are_listed_with_reasons_and_explained(commands: Any) -> None:
    listed = (await commands.run("hooks")).out
    assert "no         this kernel has no event block:block_rq_issue" in listed
    told = (await commands.run("hooks", "trace_syscalls")).out
    assert "-s, --syscall NAME..." in told
    with pytest.raises(UsageError, match="no hook 'nope'"):
        await commands.run("hooks", "nope")


async def test_no_pods_is_a_sentence_and_an_empty_document(commands: Any) -> None:
    ran = await commands.run("pods")
    assert (ran.out, ran.err) == ("", "No container runs here.\n")
    assert (await commands.run("pods", "-o", "json")).out == "{}\n"
