"""The progress is a line of a terminal that is there, and then is not."""

import io

from container_tracer.entrypoints.cli.progress import ProgressLine, Tally, can_show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_it_says_how_long_how_many_how_fast_and_what_is_missing() -> None:
    now = [0.0]
    tally = Tally()
    terminal = Terminal()
    line = ProgressLine(tally=tally, stream=terminal, enabled=True, clock=lambda: now[0])
    now[0], tally.spans, tally.lost_events, tally.dropped_spans = 2.0, 3000, 4, 5
    line.draw()
    assert "2 s  3,000 spans  1,500/s  lost 4  dropped 5  Ctrl-C ends" in terminal.getvalue()


def test_it_is_erased_once() -> None:
    terminal = Terminal()
    line = ProgressLine(tally=Tally(), stream=terminal, enabled=True)
    line.draw()
    line.erase()
    before = terminal.getvalue()
    line.erase()
    assert terminal.getvalue() == before
    assert before.endswith("\r\x1b[K")


def test_elsewhere_nothing_is_ever_written() -> None:
    for stream, enabled in ((io.StringIO(), True), (Terminal(), False)):
        line = ProgressLine(tally=Tally(), stream=stream, enabled=enabled)
        line.draw()
        line.erase()
        assert stream.getvalue() == ""


def test_a_dumb_terminal_gets_none() -> None:
    assert can_show_progress(Terminal(), {"TERM": "xterm"})
    assert not can_show_progress(Terminal(), {"TERM": "dumb"})
    assert not can_show_progress(Terminal(), {})
    assert not can_show_progress(io.StringIO(), {"TERM": "xterm"})


def test_it_says_how_many_containers_there_are_or_that_they_are_waited_for() -> None:
    tally = Tally()
    line = ProgressLine(tally=tally, stream=Terminal(), enabled=True, clock=lambda: 0.0)
    texts = []
    for number, awaited in ((0, ""), (0, "pods that match pod 'web'"), (1, "pods"), (2000, "")):
        tally.containers, line.awaited = number, awaited
        texts.append(line.text(0.0).partition("0 s  ")[2].partition("  0 spans")[0])
    assert texts == [
        "0 containers",
        "waiting for pods that match pod 'web'",
        "1 container",
        "2,000 containers",
    ]
