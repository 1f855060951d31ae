"""A session of a real node: what it says of itself, its spans, and whether the numbers agree."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from attrs import define, frozen

from container_tracer.domain.model.stats import parse_cpu_counters
from tests.integration.node.conftest import Node, wait_for

INSTANCES = Path("/sys/kernel/tracing/instances")
RUNTIME = ("containerd", "runc")
"""How commands of the programs that start containers begin."""

Span = Mapping[str, Any]


@frozen(eq=False)
class Life:
    """The calls of one thread from its birth or its latest exec on, in the order they began."""

    spans: Sequence[Span]

    @property
    def calls(self) -> list[str]:
        return [str(span["name"]) for span in self.spans]

    @property
    def numbers(self) -> list[int]:
        return [number for span in self.spans for number in called_out(span)]


def called_out(span: Span) -> list[int]:
    """Return the number in a call of `numbers.c`, which no other program makes."""
    arguments = span.get("arguments", {})
    is_one = span["name"] == "lseek" and arguments.get("fd") == -1
    return [int(arguments["offset"])] if is_one else []


@frozen(eq=False)
class Seen:
    """All spans of one run of a session, and its statistics at the end."""

    spans: Sequence[Span]
    statistics: Mapping[str, Any]

    def of(self, container_id: str) -> "Seen":
        mine = [span for span in self.spans if span["container_id"] == container_id]
        return Seen(mine, self.statistics)

    @property
    def containers(self) -> set[str]:
        """Ids of the containers that spans are of."""
        return {str(span["container_id"]) for span in self.spans}

    @property
    def tids(self) -> set[int]:
        return {int(span["tid"]) for span in self.spans}

    @property
    def names(self) -> set[tuple[str, str, str]]:
        """Namespace, pod and container as the spans name them."""
        return {(span["namespace"], span["pod"], span["container"]) for span in self.spans}

    def calls_of(self, tid: int, chosen: Iterable[str]) -> dict[str, int]:
        """Count the calls of a thread, of the chosen names."""
        names = Counter(str(span["name"]) for span in self.spans if span["tid"] == tid)
        return {name: names[name] for name in chosen}

    @property
    def numbers(self) -> list[int]:
        """All that `numbers` was told to call out, in order of size."""
        return sorted(number for span in self.spans for number in called_out(span))

    def lives(self) -> Iterator[Life]:
        """Tell the lives of the threads that ran `numbers`; a tid may be used again."""
        threads: dict[int, list[Span]] = defaultdict(list)
        for span in sorted(self.spans, key=lambda span: int(span["start_ns"])):
            one = threads[int(span["tid"])]
            if span["name"] == "execve" and one:
                yield from _if_numbers(one)
                one.clear()
            one.append(span)
        for one in threads.values():
            yield from _if_numbers(one)


def _if_numbers(spans: list[Span]) -> Iterator[Life]:
    life = Life(list(spans))
    if life.numbers:
        yield life


@define(eq=False)
class Session:
    """A session that runs; it writes JSON lines."""

    node: Node
    session_id: str

    @classmethod
    def start(cls, node: Node, arguments: str, selection: Mapping[str, object]) -> "Session":
        body = {
            "trace-hook": "trace_syscalls",
            "trace-arguments": arguments,
            "exporters": ["file:jsonl"],
            "run": True,
            **selection,
        }
        status, answer = node.ask("POST", "/v1/trace-session", body)
        assert status == 201, answer
        (session_id,) = answer
        return cls(node, session_id)

    @property
    def path(self) -> str:
        return f"/v1/trace-session/{self.session_id}"

    def describe(self) -> dict[str, Any]:
        status, answer = self.node.ask("GET", self.path)
        assert status == 200, answer
        one: dict[str, Any] = answer[self.session_id]
        return one

    def summary_rows(
        self, true: Callable[[list[dict[str, Any]]], bool], what: str
    ) -> list[dict[str, Any]]:
        """Wait until something is true of the rows of its summary, and return them."""
        rows: list[dict[str, Any]] = []

        def look() -> bool:
            rows[:] = self.node.ask("GET", f"{self.path}/summary")[1][self.session_id]["Calls"]
            return true(rows)

        wait_for(look, what)
        return rows

    def wait_for_containers(
        self, now: Mapping[str, list[str]], *, ended: Mapping[str, Mapping[str, int]] | None = None
    ) -> None:
        """Wait until these, by pod, are the containers it traces, and the counts of its ended."""

        def seen() -> tuple[object, object]:
            one = self.describe()
            return (
                {pod: sorted(names) for pod, names in one["Containers"].items()},
                one["EndedContainers"] if ended is not None else None,
            )

        wait_for(lambda: seen() == (now, ended), f"{now} and ended {ended} in the session")

    def wait_for_calls_of(self, container_ids: AbstractSet[str]) -> None:
        """Wait until calls of each of these containers were counted."""

        def seen() -> set[str]:
            calls = self.node.ask("GET", f"{self.path}/summary")[1][self.session_id]["Calls"]
            return {one["ContainerId"] for one in calls}

        wait_for(lambda: seen() >= container_ids, f"calls of {sorted(container_ids)}")

    def stop(self) -> Seen:
        """Stop it; check that nothing was lost and that every number agrees."""
        recorded = freeze(self.node)
        assert self.node.ask("PUT", self.path, {"Run": False})[0] == 200
        ended = self.describe()
        assert (ended["State"], ended["Error"]) == ("stopped", None)
        seen = Seen(read_spans(ended["Output"]), ended["Statistics"])
        check_accounts(seen, recorded)
        check_no_runtime(seen)
        return seen

    def delete(self) -> None:
        assert self.node.ask("DELETE", self.path)[0] in (200, 404)


def read_spans(paths: Iterable[str]) -> list[Span]:
    lines = (line for path in paths for line in Path(path).read_text().splitlines())
    return [json.loads(line) for line in lines]


def sources_of(node: Node) -> list[Path]:
    """Find the tracefs instances in which a node records system calls."""
    mine = [INSTANCES / name for name in sorted(node.instances())]
    return [one for one in mine if "syscalls:" in (one / "set_event").read_text()]


def freeze(node: Node) -> dict[int, int]:
    """Have a node's only source record no more; return what the kernel counted, per CPU."""
    (source,) = sources_of(node)
    (source / "tracing_on").write_text("0")
    cpus = {int(one.name[3:]): one / "stats" for one in (source / "per_cpu").glob("cpu*")}
    counters = (parse_cpu_counters(cpu, stats.read_text()) for cpu, stats in cpus.items())
    return {one.cpu: one.recorded for one in counters}


def check_accounts(seen: Seen, recorded: Mapping[int, int]) -> None:
    """See that every event the kernel recorded for a node's only session is accounted for."""
    session, source = seen.statistics, seen.statistics["Source"]
    assert {int(cpu): one["Recorded"] for cpu, one in source["Cpus"].items()} == recorded
    assert source["Recorded"] == sum(recorded.values())
    fates = ("Attributed", "Unattributed", "Lost", "Malformed", "Pending")
    assert source["Recorded"] == sum(source[fate] for fate in fates)
    assert source["Lost"] == source["Malformed"] == source["Pending"] == 0
    assert source["Attributed"] == session["Attributed"]
    assert sum(session["AttributedByCpu"].values()) == session["Attributed"]
    assert session["Attributed"] == sum(session[x] for x in ("FilteredOut", "SampledOut", "Passed"))
    (file,) = session["Exporters"].values()
    assert session["Passed"] == session["Open"] + sum(
        file[fate] for fate in ("Delivered", "Dropped", "Pending")
    )
    assert session["Open"] == file["Dropped"] == file["Pending"] == 0
    assert len(seen.spans) == file["DeliveredSpans"] == session["Spans"]
    assert sum(span["events"] for span in seen.spans) == file["Delivered"]


def check_no_runtime(seen: Seen) -> None:
    """See that nothing of what starts containers is taken for theirs, but the start itself."""
    of_runtime = [span for span in seen.spans if str(span["command"]).startswith(RUNTIME)]
    assert {span["name"] for span in of_runtime} <= {"execve"}
