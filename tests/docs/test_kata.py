"""The page on Kata Containers is true: numbers and places are the program's, its command runs."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from container_tracer.adapters.vsock.connection import READ_BYTES
from container_tracer.domain.model.guests.agent_span import MAX_VALUES
from container_tracer.domain.model.guests.connection_stats import GuestEnd
from container_tracer.domain.model.guests.redaction import (
    HARMLESS_EVENT_TEXTS,
    HARMLESS_TEXTS,
    MAX_SPAN_BYTES,
)
from container_tracer.domain.model.guests.slots import GuestSlots
from container_tracer.domain.model.guests.sockets import (
    MONITOR,
    SANDBOX,
    SOCKET_PLACES,
    listening_name,
)
from container_tracer.domain.services.guests.frame_room import HOLD_SECONDS, SMALL_BYTES
from container_tracer.domain.services.guests.reception import REST
from container_tracer.domain.services.guests.spans import GRACE_SECONDS
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.single_span_delivery import QUEUE_BYTES, QUEUE_SPANS
from container_tracer.entrypoints.node.guest_metrics import GuestMetrics
from container_tracer.entrypoints.node.guest_settings import AGENT_PORT, AGENT_SERVICE
from container_tracer.entrypoints.node.guests import LONG_FRAMES_BYTES, span_forwarder
from container_tracer.entrypoints.node.settings import read_settings
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.task_directory import FakeTaskDirectory

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/kata.md").read_text()
SLOTS = GuestSlots()


@pytest.mark.parametrize(
    "said",
    [
        f"port {AGENT_PORT} of its host",
        f"`service.name` is `{AGENT_SERVICE}`",
        f"{SMALL_BYTES >> 10} KiB for what is not whole yet",
        f"longer frames share {LONG_FRAMES_BYTES >> 20} MiB",
        f"kept others waiting for {HOLD_SECONDS:.0f} s",
        f"{SLOTS.per_guest} connections per guest, {SLOTS.in_all:,} in all",
        f"{QUEUE_SPANS:,} spans and {QUEUE_BYTES >> 20} MiB wait",
        f"{GRACE_SECONDS:.0f} s after a guest has left",
        f"{MAX_VALUES:,} values of a span",
        f"{MAX_SPAN_BYTES >> 10} KiB of a span",
    ],
)
def test_its_numbers_are_those_of_the_program(said: str) -> None:
    assert said in PAGE


def test_every_name_whose_text_is_exported_is_told() -> None:
    told = set(re.findall(r"`([a-z.…]+)`", PAGE))
    for name in HARMLESS_TEXTS | HARMLESS_EVENT_TEXTS:
        assert told & {name, f"{name.partition('.')[0]}.…"}


def test_guests_take_as_much_of_a_core_as_it_says() -> None:
    assert "two thirds of a core" in PAGE
    assert pytest.approx(2 / 3) == 1 / (1 + REST)


def test_what_is_read_at_once_is_no_more_than_a_connection_may_hold() -> None:
    assert READ_BYTES <= SMALL_BYTES


def test_every_place_of_a_socket_is_named() -> None:
    for place in SOCKET_PLACES:
        folders = "/".join(place.folders).replace(SANDBOX, "SANDBOX").replace(MONITOR, "MONITOR")
        assert f"`{folders}`" in PAGE
        assert f"`{listening_name(place.name, AGENT_PORT)}`" in PAGE


def test_every_metric_is_named_and_every_end_and_reason() -> None:
    clock = FakeClock()
    inventory = PodInventory(
        discovery=FakePodDiscovery(), directory=FakeTaskDirectory(), clock=clock
    )
    settings = read_settings(["--span-forwarder"], {})
    forwarder = span_forwarder(settings, inventory, clock, None, OwnSpans(clock=clock))
    families = {
        one.name.removeprefix("container_tracer_guest_") + "_total" * (one.type == "counter")
        for one in GuestMetrics(forwarder).collect()
    }
    table = PAGE.partition("| metric, after")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    assert families | set(GuestEnd) <= named
    assert {"exporter", "fate", "end", "reason"} <= named


@pytest.mark.kernel
def test_its_command_shows_a_span_without_its_secret(socket_folder: Path) -> None:
    (command,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=socket_folder,
        env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + (socket_folder / "log").read_text()
    shown = json.loads(done.stdout)
    assert shown["name"] == "create_container"
    assert "secret" not in done.stdout
    assert "demo" in done.stdout
    assert not (socket_folder / "run/vc/vm/demo/clh.sock_10240").exists()
