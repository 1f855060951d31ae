"""What each request of the API does, and how it is answered."""

from typing import Any

import pytest
from attrs import evolve
from yarl import URL

from container_tracer.domain.model.hook import HookCatalogue
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.session import SessionState
from container_tracer.domain.model.session_request import (
    HookUnavailable,
    IllegalTransition,
    InvalidRequest,
    TooManySessions,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.ports.errors import (
    DiscoveryFailed,
    EventUnavailable,
    ExportFailed,
    TracingUnavailable,
)

ORIGINAL_SESSION_KEYS = {
    "Id",
    "Context",
    "Node",
    "Containers",
    "TraceHook",
    "TraceParams",
    "Running",
    "Output",
    "Error",
}


async def test_pods_are_listed_with_the_original_keys_and_more(node: Any) -> None:
    answer = await node.ask("GET", "/v1/pods")
    assert answer.status == 200
    assert answer.json["shop"]["Containers"]["web"] == {
        "Id": "web",
        "Pod": "shop",
        "Parent": [10],
        "Tasks": [10, 11],
        "ContainerId": "4f1c6d",
        "Namespace": "default",
        "PodUid": "0c6a",
        "Image": "registry.example/shop:1.4",
        "Labels": {"app": "shop"},
        "Runtime": "runc",
        "Node": "worker-1",
        "Isolated": False,
        "Refused": "",
    }


async def test_pods_of_the_same_name_are_told_apart_by_namespace(node: Any) -> None:
    node.pods.listed = tuple(
        Pod(name="web-0", namespace=n, containers=(Container(name="c", pod="web-0", namespace=n),))
        for n in ("blue", "green")
    )
    assert set((await node.ask("GET", "/v1/pods")).json) == {"blue/web-0", "green/web-0"}


def two_namespaces() -> tuple[Pod, ...]:
    """Make two pods of one name: that of `green` runs in a virtual machine."""
    containers = [
        Container(name="c", pod="web-0", namespace=n, labels={"app": n}, isolated=n == "green")
        for n in ("blue", "green")
    ]
    pods = [Pod(name=one.pod, namespace=one.namespace, containers=(one,)) for one in containers]
    return (*pods, Pod(name="idle", namespace="blue"))


@pytest.mark.parametrize(
    ("query", "pods"),
    [
        ("", {"blue/web-0", "green/web-0"}),
        ("?", {"blue/web-0", "green/web-0"}),
        ("?pod=web-[0-4]", {"blue/web-0", "green/web-0"}),
        ("?pod=web-[!0-4]", set()),
        ("?pod=blue/*&container=c", {"web-0"}),
        ("?pod=*&namespace=bl%75e", {"web-0"}),
        ("?labels=app%20in%20(green,red)", {"web-0"}),
        ("?labels=app%21%3Dgreen&container=", {"web-0"}),
        ("?pod=idle", set()),
        ("?vmm=true", {"blue/web-0", "green/web-0"}),
    ],
)
async def test_pods_can_be_selected_as_a_session_selects_them(
    node: Any, query: str, pods: set[str]
) -> None:
    node.pods.listed = two_namespaces()
    answer = await node.ask("GET", URL(f"/v1/pods{query}", encoded=True))
    assert (answer.status, set(answer.json)) == (200, pods)


@pytest.mark.parametrize(
    ("query", "kind", "said"),
    [
        ("pod=[", "invalid-selector", "'['"),
        ("pod=a/b/c", "invalid-selector", "more than one '/'"),
        ("pod=a%00b", "invalid-selector", "unprintable"),
        ("pod=a/b&namespace=c", "invalid-selector", "give only one"),
        ("labels=app=", "", ""),
        ("labels=app%20is%20web", "invalid-labels", "character 5"),
        ("label=app", "invalid-request", "'label' is unknown; known are: pod, container"),
        ("pod=a&pod=b", "invalid-request", "more than once"),
        ("vmm=yes", "invalid-request", "true or false"),
        (f"pod={'a' * 513}", "invalid-request", "at most 512"),
        (f"labels={'a' * 4097}", "invalid-request", "at most 4096"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused(
    node: Any, query: str, kind: str, said: str
) -> None:
    answer = await node.ask("GET", URL(f"/v1/pods?{query}", encoded=True))
    assert answer.status == (400 if kind else 200)
    assert answer.json.get("type", "").rpartition(":")[2] == kind
    assert said in answer.json.get("detail", "")


async def test_pods_say_what_a_session_would_refuse(node: Any) -> None:
    node.pods.listed = two_namespaces()
    pods = (await node.ask("GET", "/v1/pods")).json
    refused = {key: pod["Containers"]["c"]["Refused"] for key, pod in pods.items()}
    assert refused["blue/web-0"] == ""
    assert "runs in a virtual machine" in refused["green/web-0"]
    (asked,) = (await node.ask("GET", "/v1/pods?namespace=green&vmm=true")).json.values()
    assert (asked["Containers"]["c"]["Isolated"], asked["Containers"]["c"]["Refused"]) == (True, "")


async def test_a_session_names_what_it_refused_and_keeps_equal_names_apart(node: Any) -> None:
    node.pods.listed = two_namespaces()
    (session,) = (await node.create()).json.values()
    assert session["Containers"] == {"blue/web-0": ["c"]}
    ((pod, reasons),) = session["Refused"].items()
    assert pod == "green/web-0"
    assert "the VMM" in reasons["c"]
    (asked,) = (await node.create(vmm=True)).json.values()
    assert asked["Containers"] == {"blue/web-0": ["c"], "green/web-0": ["c"]}
    assert asked["Refused"] == {}


async def test_a_session_of_nothing_but_virtual_machines_is_422(node: Any) -> None:
    node.pods.listed = two_namespaces()
    answer = await node.create(namespace="green")
    assert (answer.status, answer.json["title"]) == (422, "Isolated container")
    assert '"vmm": true' in answer.json["detail"]
    assert not node.sessions.kept


@pytest.mark.parametrize("path", ["/v1/pods", "/v1/trace-session/all", "/v1/trace-hooks"])
async def test_nothing_is_an_empty_object(node: Any, path: str) -> None:
    node.pods.listed = ()
    node.sessions.catalogue = HookCatalogue({})
    answer = await node.ask("GET", path)
    assert (answer.status, answer.body) == (200, b"{}")


async def test_a_hook_says_what_it_takes_and_whether_it_can_run(node: Any) -> None:
    hook = (await node.ask("GET", "/v1/trace-hooks")).json["ftrace"]["Tracers"]["trace_syscalls"]
    assert hook == {
        "Name": "trace_syscalls",
        "Description": ["System calls as spans."],
        "Available": True,
        "Reason": "",
        "Arguments": [
            {"Flags": ["-s", "--syscall"], "Value": "NAME...", "Description": "only these"}
        ],
    }


async def test_a_hook_that_cannot_run_says_why(node: Any) -> None:
    node.sessions.catalogue = HookCatalogue(node.sessions.catalogue.hooks, reason="no tracefs")
    hook = (await node.ask("GET", "/v1/trace-hooks")).json["ftrace"]["Tracers"]["trace_syscalls"]
    assert (hook["Available"], hook["Reason"]) == (False, "no tracefs")


async def test_a_new_session_is_201_with_its_place_and_all_its_keys(node: Any) -> None:
    answer = await node.create(**{"trace-user-context": "why", "trace-arguments": "-s 'open at'"})
    ((session_id, session),) = answer.json.items()
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/trace-session/{session_id}"
    assert set(session) >= ORIGINAL_SESSION_KEYS
    assert session["Id"] == session_id
    assert session["Context"] == "why"
    assert session["Node"] == "worker-1"
    assert session["Containers"] == {"shop": ["web"]}
    assert session["TraceParams"] == ["-s", "open at"]
    assert (session["Running"], session["State"]) == (False, "created")
    assert (session["Output"], session["Error"]) == (None, None)
    assert session["Created"] == "2026-11-20T09:15:00.250000000Z"
    assert (session["Started"], session["Ended"], session["Group"]) == ("", "", "")


async def test_statistics_hold_their_identities(node: Any) -> None:
    (session,) = (await node.create()).json.values()
    stats = session["Statistics"]
    one = stats["Exporters"]["console"]
    assert stats["Attributed"] == stats["FilteredOut"] + stats["SampledOut"] + stats["Passed"]
    assert stats["Passed"] == one["Delivered"] + one["Dropped"] + one["Pending"]
    source = stats["Source"]
    parts = ("Attributed", "Unattributed", "Lost", "Malformed", "Pending")
    assert source["Recorded"] == sum(source[part] for part in parts)
    assert source["Cpus"]["0"]["Recorded"] == 1500


async def test_a_session_can_be_got_by_id_and_with_all(node: Any) -> None:
    created = (await node.create()).json
    (session_id,) = created
    assert (await node.ask("GET", f"/v1/trace-session/{session_id}")).json == created
    assert (await node.ask("GET", "/v1/trace-session/all")).json == created


@pytest.mark.parametrize("body", ['{"Run": true}', '{"run": true}', '{"RUN":true}'])
async def test_run_is_read_without_regard_to_case(node: Any, body: str) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.send("PUT", f"/v1/trace-session/{session_id}", body)
    assert (answer.status, answer.body) == (200, b"{}")
    assert node.sessions.kept[session_id].state is SessionState.RUNNING


async def test_starting_and_stopping_again_changes_nothing(node: Any) -> None:
    (session_id,) = (await node.create()).json
    for run, state in (
        ("true", SessionState.RUNNING),
        ("true", SessionState.RUNNING),
        ("false", SessionState.STOPPED),
        ("false", SessionState.STOPPED),
    ):
        answer = await node.send("PUT", f"/v1/trace-session/{session_id}", f'{{"Run": {run}}}')
        assert (answer.status, answer.body) == (200, b"{}")
        assert node.sessions.kept[session_id].state is state


async def test_the_body_of_a_change_is_read_before_anything_is_changed(node: Any) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.send("PUT", f"/v1/trace-session/{session_id}", '{"Run": 1}')
    assert answer.status == 400
    assert not node.sessions.calls


async def test_stopping_a_session_that_never_ran_changes_nothing(node: Any) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.send("PUT", f"/v1/trace-session/{session_id}", '{"Run": false}')
    assert answer.status == 200
    assert node.sessions.kept[session_id].state is SessionState.CREATED


async def test_a_deleted_session_is_gone_and_deleting_it_again_is_404(node: Any) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.ask("DELETE", f"/v1/trace-session/{session_id}")
    assert (answer.status, answer.body) == (200, b"{}")
    again = await node.ask("DELETE", f"/v1/trace-session/{session_id}")
    assert (again.status, again.json["title"]) == (404, "Unknown session")


async def test_all_sessions_can_be_deleted_also_when_there_are_none(node: Any) -> None:
    await node.create()
    await node.create()
    for _ in range(2):
        answer = await node.ask("DELETE", "/v1/trace-session/all")
        assert (answer.status, answer.body) == (200, b"{}")
    assert not node.sessions.kept


@pytest.mark.parametrize(
    "session_id", ["-1", "1.5", "0x10", "18446744073709551616", "ALL", "٣", "1" * 5000]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_what_is_no_id_is_404_with_an_explanation(
    node: Any, method: str, session_id: str
) -> None:
    answer = await node.ask(method, f"/v1/trace-session/{session_id}")
    assert answer.status == 404
    assert answer.media_type == "application/problem+json"
    assert "decimal" in answer.json["detail"]


async def test_all_cannot_be_started(node: Any) -> None:
    answer = await node.send("PUT", "/v1/trace-session/all", '{"Run": true}')
    assert answer.status == 404
    assert "'all' with GET and DELETE" in answer.json["detail"]


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (InvalidRequest("There is no exporter 'x'."), 400, "invalid-request"),
        (IllegalTransition("It is stopping."), 409, "illegal-transition"),
        (TooManySessions("There are 64."), 429, "too-many-sessions"),
        (HookUnavailable("Not on this kernel."), 501, "hook-unavailable"),
        (EventUnavailable("No such event."), 501, "event-unavailable"),
        (TracingUnavailable("No tracefs."), 503, "tracing-unavailable"),
        (DiscoveryFailed("No /proc."), 503, "discovery-failed"),
        (ExportFailed("No disk."), 503, "export-failed"),
    ],
)
async def test_each_failure_has_its_status_and_says_what_it_is(
    node: Any, failure: Exception, status: int, kind: str
) -> None:
    node.sessions.failure = failure
    answer = await node.create()
    assert answer.media_type == "application/problem+json"
    assert answer.json == {
        "type": f"urn:container-tracer:problem:{kind}",
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": str(failure),
        "instance": "/v1/trace-session",
    }
    assert answer.status == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"trace-hook": "nope"}, 404),
        ({"pod": "nope"}, 404),
        ({"pod": "a/b/c"}, 400),
        ({"labels": "app in shop"}, 400),
        ({"labels": "app in (shop)"}, 201),
        ({"labels": "app=bank"}, 404),
        ({"vmm": "yes"}, 400),
        ({"trace-arguments": "--wrong"}, 422),
        ({"wait-for-pods": True}, 201),
        ({"wait-for-pods": False}, 201),
    ],
)
async def test_a_request_that_cannot_be_is_refused(
    node: Any, body: dict[str, Any], status: int
) -> None:
    answer = await node.create(**body)
    assert answer.status == status
    assert len(node.sessions.kept) == (status == 201)


async def test_discovery_that_fails_is_503(node: Any) -> None:
    node.pods.failure = DiscoveryFailed("/proc cannot be read.")
    answer = await node.ask("GET", "/v1/pods")
    assert (answer.status, answer.json["detail"]) == (503, "/proc cannot be read.")


async def test_the_server_is_healthy_but_not_ready_without_a_kernel(node: Any) -> None:
    assert (await node.ask("GET", "/healthz")).json == {"status": "ok"}
    assert (await node.ask("GET", "/readyz")).json["status"] == "ready"
    node.sessions.reason = "tracefs is not mounted."
    assert (await node.ask("GET", "/healthz")).status == 200
    answer = await node.ask("GET", "/readyz")
    assert (answer.status, answer.media_type) == (503, "application/problem+json")
    assert answer.json["detail"] == "tracefs is not mounted."


async def test_who_is_ready_says_how_containers_are_found(node: Any) -> None:
    answer = await node.ask("GET", "/readyz")
    assert answer.json == {
        "status": "ready",
        "discovery": "procfs",
        "runtime": "",
        "reason": "No runtime answers.",
    }


@pytest.mark.parametrize("path", ["/v1/pods", "/healthz", "/metrics", "/docs", "/openapi.json"])
async def test_head_is_get_without_the_body(node: Any, path: str) -> None:
    answer = await node.ask("HEAD", path)
    got = await node.ask("GET", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"] == got.headers["Content-Type"]


async def test_head_of_what_is_not_there_is_a_problem_too(node: Any) -> None:
    answer = await node.ask("HEAD", "/v1/trace-session/1")
    assert (answer.status, answer.media_type) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/pods", {"GET", "HEAD"}),
        ("POST", "/v1/trace-session/1", {"GET", "HEAD", "PUT", "DELETE"}),
        ("GET", "/v1/trace-session", {"POST"}),
        ("BREW", "/v1/pods", {"GET", "HEAD"}),
    ],
)
async def test_a_method_a_path_does_not_have_is_405_and_says_which_it_has(
    node: Any, method: str, path: str, allowed: set[str]
) -> None:
    answer = await node.ask(method, path)
    assert (answer.status, answer.media_type) == (405, "application/problem+json")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/pods", "/v1/trace-session/1/2", "/../etc"])
async def test_a_path_that_is_not_there_is_404(node: Any, path: str) -> None:
    answer = await node.ask("GET", path)
    assert (answer.status, answer.media_type) == (404, "application/problem+json")


async def test_a_summary_has_a_row_for_each_container_and_name(node: Any) -> None:
    (session_id,) = (await node.create()).json
    answer = await node.ask("GET", f"/v1/trace-session/{session_id}/summary")
    summary = answer.json[session_id]
    assert summary["Spans"] == sum(call["Count"] for call in summary["Calls"])
    assert summary["Incomplete"] == sum(call["Incomplete"] for call in summary["Calls"])
    totals = [call["TotalNs"] for call in summary["Calls"]]
    assert totals == sorted(totals, reverse=True)
    assert {"Container": "builder", "Name": "getpid"}.items() <= summary["Calls"][-1].items()
    assert not any("Buckets" in call for call in summary["Calls"])


async def test_a_summary_has_buckets_if_asked(node: Any) -> None:
    (session_id,) = (await node.create()).json
    path = f"/v1/trace-session/{session_id}/summary"
    plain = (await node.ask("GET", f"{path}?buckets=false")).json[session_id]
    more = (await node.ask("GET", f"{path}?buckets=true")).json[session_id]
    assert [sum(call.pop("Buckets").values()) for call in more["Calls"]] == [1, 7, 1, 1]
    assert more == plain


async def test_summaries_of_all_sessions_can_be_asked_for(node: Any) -> None:
    assert (await node.ask("GET", "/v1/trace-session/all/summary")).body == b"{}"
    ids = [next(iter((await node.create()).json)) for _ in range(2)]
    assert list((await node.ask("GET", "/v1/trace-session/all/summary")).json) == ids


@pytest.mark.parametrize("query", ["buckets=1", "buckets=", "buckets=true&buckets=true"])
async def test_buckets_are_asked_for_clearly_or_not_at_all(node: Any, query: str) -> None:
    answer = await node.ask("GET", f"/v1/trace-session/all/summary?{query}")
    assert (answer.status, answer.json["title"]) == (400, "Invalid request")
    assert "buckets" in answer.json["detail"]


async def test_there_is_no_summary_of_a_session_that_does_not_exist(node: Any) -> None:
    assert (await node.ask("GET", "/v1/trace-session/7/summary")).status == 404


async def test_containers_that_ended_are_counted_by_pod_and_name(node: Any) -> None:
    await node.create(**{"wait-for-pods": True})
    (kept,) = node.sessions.kept.values()
    here = kept.containers[0]
    again = [evolve(here, container_id=str(number)) for number in range(2)]
    elsewhere = evolve(here, namespace="bank", pod_uid="77", container_id="9")
    kept.take_on([*again, elsewhere])
    kept.let_go([*again, elsewhere])
    answer = await node.ask("GET", f"/v1/trace-session/{kept.session_id}")
    (told,) = answer.json.values()
    assert told["WaitForPods"] is True
    assert told["Containers"] == {"default/shop": ["web"]}
    assert told["EndedContainers"] == {"default/shop": {"web": 2}, "bank/shop": {"web": 1}}
    assert told["EndedContainerCount"] == 3


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = SpanContext(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN))


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"B3": f"{TRACE}-{SPAN}-1"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
    ],
)
async def test_who_makes_or_starts_a_session_may_say_what_trace_it_is_of(
    node: Any, headers: dict[str, str]
) -> None:
    wanted = {"pod": "*", "trace-hook": "trace_syscalls"}
    made = await node.ask("POST", "/v1/trace-session", json=wanted, headers=headers)
    assert node.sessions.asked[-1].caller == CALLER
    (session_id,) = made.json
    path = f"/v1/trace-session/{session_id}"
    assert (await node.ask("PUT", path, json={"Run": True}, headers=headers)).status == 200
    assert (await node.ask("PUT", path, json={"Run": True})).status == 200
    assert node.sessions.callers == [CALLER, None]


async def test_a_session_says_what_trace_it_is_in(node: Any) -> None:
    (session_id,) = (answer := await node.create()).json
    assert answer.json[session_id]["TraceId"] == ""
    node.sessions.kept[session_id].trace_id = CALLER.trace_id
    answer = await node.ask("GET", f"/v1/trace-session/{session_id}")
    assert answer.json[session_id]["TraceId"] == TRACE


async def test_a_session_says_how_much_of_it_is_exported(node: Any) -> None:
    for given, rate in ((12.5, 12.5), ("NEVER", 0), ("100", 100)):
        assert (await node.create(**{"sample-rate": given})).status == 201
        assert node.sessions.asked[-1].sample_rate == SampleRate(rate)
    (session_id,) = (answer := await node.create()).json
    assert node.sessions.asked[-1].sample_rate is None
    assert answer.json[session_id]["SampleRate"] == "always"
    node.sessions.kept[session_id].sample_rate = SampleRate(12.5)
    answer = await node.ask("GET", f"/v1/trace-session/{session_id}")
    assert answer.json[session_id]["SampleRate"] == "12.5"
    assert (await node.create(**{"sample-rate": 101})).status == 400


async def test_sessions_of_a_group_are_asked_for_changed_and_deleted_by_its_id(node: Any) -> None:
    made = {next(iter((await node.create(group="007")).json)) for _ in range(2)}
    (alone,) = (await node.create()).json
    described = (await node.ask("GET", "/v1/trace-session/7")).json
    assert {key: one["Group"] for key, one in described.items()} == dict.fromkeys(made, "7")
    assert set((await node.ask("GET", "/v1/trace-session/7/summary")).json) == made
    assert (await node.ask("PUT", "/v1/trace-session/7", json={"Run": True})).status == 200
    running = {key for key, one in node.sessions.kept.items() if one.running}
    assert running == made
    assert (await node.ask("DELETE", "/v1/trace-session/7")).status == 200
    assert set(node.sessions.kept) == {alone}
    assert (await node.ask("GET", "/v1/trace-session/7")).status == 404


async def test_a_group_is_a_decimal_number_of_64_bits_in_a_string(node: Any) -> None:
    for wrong in (7, "0", "-1", "x", "", "18446744073709551616", "\u0667"):
        answer = await node.create(group=wrong)
        assert (answer.status, node.sessions.kept) == (400, {}), wrong
        assert "'group'" in answer.json["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}"},
        {"traceparent": "\u00ff", "tracestate": ",=" * 500, "b3": "-"},
        {"X-B3-TraceId": TRACE * 2, "X-B3-SpanId": "0", "X-B3-Sampled": "2", "X-B3-Flags": "x"},
    ],
)
async def test_a_trace_context_that_cannot_be_read_is_as_good_as_none(
    node: Any, headers: dict[str, str]
) -> None:
    for path in ("/v1/pods", "/v1/trace-hooks", "/v1/trace-session/all", "/healthz", "/metrics"):
        assert (await node.ask("GET", path, headers=headers)).status == 200
    wanted = {"pod": "*", "trace-hook": "trace_syscalls"}
    made = await node.ask("POST", "/v1/trace-session", json=wanted, headers=headers)
    (session_id,) = made.json
    item = f"/v1/trace-session/{session_id}"
    assert (await node.ask("PUT", item, json={"Run": True}, headers=headers)).status == 200
    assert (await node.ask("DELETE", item, headers=headers)).status == 200
    assert (node.sessions.asked[-1].caller, node.sessions.callers) == (None, [None])
