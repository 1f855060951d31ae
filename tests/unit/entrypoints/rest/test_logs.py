"""One event a line, whoever logs it."""

import io
import json
import logging

import pytest
import structlog

from container_tracer.entrypoints.rest.logs import set_up_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


pytestmark = pytest.mark.usefixtures("logs_left_as_found")


def test_lines_are_json_where_no_person_looks() -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    structlog.get_logger("ours").info("session.started", session_id="7")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "session.started",
        "session_id": "7",
        "level": "info",
        "logger": "ours",
    }


def test_lines_can_be_read_on_a_terminal() -> None:
    stream = Terminal()
    set_up_logs(stream=stream)
    structlog.get_logger().info("session.started")
    assert "session.started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_sanics_lines_look_like_ours_and_bear_the_request_id() -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    with structlog.contextvars.bound_contextvars(request_id="r"):
        logging.getLogger("sanic.error").error("what %s says", "sanic")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["request_id"]) == (
        "what sanic says",
        "sanic.error",
        "r",
    )


def test_a_traceback_is_one_line() -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    structlog.get_logger().error("request.failed", exc_info=ValueError("why"))
    (text,) = stream.getvalue().splitlines()
    assert "ValueError: why" in json.loads(text)["exception"]


@pytest.mark.parametrize("verbose", [True, False])
def test_debug_lines_come_only_if_asked_for(*, verbose: bool) -> None:
    stream = io.StringIO()
    set_up_logs(verbose=verbose, stream=stream)
    structlog.get_logger().debug("detail")
    assert bool(stream.getvalue()) is verbose


def test_setting_up_again_does_not_double_lines() -> None:
    stream = io.StringIO()
    set_up_logs(stream=stream)
    set_up_logs(stream=stream)
    structlog.get_logger().info("once")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_line_break_in_a_value_does_not_make_a_line() -> None:
    for stream in (io.StringIO(), Terminal()):
        set_up_logs(stream=stream)
        structlog.get_logger().info("x", path='/a\n{"event": "forged"}')
        assert len(stream.getvalue().splitlines()) == 1
