"""`pods` and `hooks` against an API without a tracer."""

import json
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


def container(name: str, namespace: str, refused: str = "") -> dict[str, Any]:
    """Return a container as the API shows it."""
    return {
        "Id": name,
        "Pod": "web-0",
        "Namespace": namespace,
        "Node": "worker-1",
        "Isolated": bool(refused),
        "Refused": refused,
    }


REASON = "Container db of pod web-0 runs in a virtual machine; ask for the VMM."
PODS = {
    "blue/web-0": {"Containers": {"web": container("web", "blue")}},
    "green/web-0": {"Containers": {"db": container("db", "green", REASON)}},
}


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ((), {}),
        (("--match", "web-[0-4]"), {"pod": "web-[0-4]"}),
        (("--match", "blue/*", "w?b"), {"pod": "blue/*", "container": "w?b"}),
        (("-n", "blue", "-l", "app in (a,b)"), {"namespace": "blue", "labels": "app in (a,b)"}),
        (("--selector", "app", "--vmm"), {"labels": "app", "vmm": "true"}),
        (("--match", "a&pod=%41+ é"), {"pod": "a&pod=%41+ é"}),
    ],
)
async def test_pods_are_asked_for_in_the_words_of_a_trace(
    commands: Any, tracer_api: Any, words: tuple[str, ...], query: dict[str, str]
) -> None:
    await commands.run("pods", *words)
    assert tracer_api.queries == [query]


async def test_all_pods_are_listed_those_in_virtual_machines_too(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.pods = PODS
    ran = await commands.run("pods")
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        ["blue", "web-0", "web"],
        ["green", "web-0", "db"],
    ]
    assert ran.err == ""


async def test_a_preview_shows_what_is_taken_and_says_what_is_not(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.pods = PODS
    ran = await commands.run("pods", "--match", "web-0")
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [["blue", "web-0", "web"]]
    assert ran.err == f"Not traced: {REASON}\n"
    assert ran.code == 0


async def test_a_preview_as_a_document_has_all_that_matches_and_why_not(
    commands: Any, tracer_api: Any
) -> None:
    tracer_api.pods = PODS
    ran = await commands.run("pods", "--match", "web-0", "-o", "json")
    assert (json.loads(ran.out), ran.err) == (PODS, "")


async def test_a_preview_of_nothing_says_whether_it_is_there(
    commands: Any, tracer_api: Any
) -> None:
    ran = await commands.run("pods", "--match", "bank/web-*", "-l", "app==web")
    assert (ran.out, ran.err) == (
        "",
        "No running container matches pod 'bank/web-*', container '*', labels 'app=web'.\n",
    )
    tracer_api.pods = {"green/web-0": PODS["green/web-0"]}
    ran = await commands.run("pods", "-n", "green")
    assert ran.out == ""
    assert ran.err.splitlines()[1:] == [
        "A session would be refused: it may trace none of what matches.",
        f"Not traced: {REASON}",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--match", "a", "b", "c"), "quote wildcards"),
        (("--match", "a/b/c"), "more than one '/'"),
        (("--match", "a/b", "-n", "c"), "give only one"),
        (("--match", "["), "'\\['"),
    ],
)
async def test_a_selection_that_cannot_be_is_refused_before_anything_is_asked(
    commands: Any, tracer_api: Any, words: tuple[str, ...], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        await commands.run("pods", *words)
    assert tracer_api.asked == []


async def test_no_pods_is_a_sentence_and_an_empty_document(commands: Any) -> None:
    ran = await commands.run("pods")
    assert (ran.out, ran.err) == ("", "No container runs here.\n")
    assert (await commands.run("pods", "-o", "json")).out == "{}\n"
