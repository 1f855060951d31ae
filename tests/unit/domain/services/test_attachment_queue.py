from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.attachments import Attachment
from container_tracer.domain.services import attachment_queue
from container_tracer.domain.services.attachment_queue import AttachmentQueue


def at(time_ns: int) -> Attachment:
    return Attachment(time_ns=time_ns, tid=7, path="/")


def queue(told: Any = lambda _: None) -> AttachmentQueue:
    return AttachmentQueue(lambda _: None, told)


def test_those_before_a_time_are_taken_in_order_and_once() -> None:
    one = queue()
    for time_ns in (30, 10, 20, 40):
        one.put(at(time_ns))
    assert one.take(30) == [at(10), at(20)]
    assert one.take(30) == []
    assert one.take(99) == [at(30), at(40)]


def test_each_is_told_as_it_comes() -> None:
    told: list[Attachment] = []
    one = queue(told.append)
    one.put(at(2))
    one.put(at(1))
    assert told == [at(2), at(1)]


def test_what_nobody_takes_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachment_queue, "MAX_WAITING", 10)
    one = queue()
    with capture_logs() as logs:
        for time_ns in range(11):
            one.put(at(time_ns))
    assert [x.time_ns for x in one.take(99)] == [5, 6, 7, 8, 9, 10]
    assert [(x["event"], x["count"]) for x in logs] == [("watch.attachments_dropped", 5)]
