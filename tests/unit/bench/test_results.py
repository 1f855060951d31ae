"""Rounds become figures, and figures tables, a picture and a part of a page."""

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.chart import drawn
from bench.measured import Figure, Round, Spent, Spread, ToolFigures, figures_of
from bench.page import BEGIN, END, filled
from bench.results import Results, read
from bench.summing import COUNTED, ENCODED, OURS, USUAL, derived
from bench.table import number, rendered, share

TEN = Spread(10, 10, 10)


def figures(tool: str, *, wall: float = 4, tool_ns: Spread | None = TEN) -> ToolFigures:
    return ToolFigures(
        workload="w",
        tool=tool,
        calls=100,
        wall_ratio=Spread.of([wall]),
        cpu_ratio=Spread.of([wall]),
        captured_share=Spread(0.9, 0.8, 1),
        tool_ns=tool_ns,
        lost=None,
    )


def results(*tools: ToolFigures) -> Results:
    machine = {"processor": "one", "cpus": "2", "kernel": "6.18", "python": "3.11.7"}
    return Results(machine, "quick", "2026-11-20T22:00:00Z", list(tools))


def a_round(calls: int, wall_ns: int, captured: int, lost: int | None = None) -> Round:
    return Round(
        calls=calls,
        spent=Spent(wall_ns, wall_ns // 2),
        captured=captured,
        lost=lost,
        tool_cpu_ns=1_000,
    )


def test_rounds_are_compared_call_by_call_with_the_untraced_one_of_their_turn() -> None:
    found = figures_of(
        "w",
        "t",
        rounds=[a_round(10, 1_000, 10), a_round(10, 3_000, 5)],
        untraced=[(100, Spent(1_000, 1_000)), (100, Spent(2_000, 1_000))],
    )
    assert found.wall_ratio == Spread(12.5, 10, 15)
    assert found.cpu_ratio == Spread(10, 5, 15)
    assert found.captured_share == Spread(0.75, 0.5, 1)
    assert found.tool_ns == Spread(150, 100, 200)
    assert found.lost is None


def test_a_tool_that_delivered_nothing_has_no_price_per_call() -> None:
    untraced = [(10, Spent(1_000, 1_000))]
    found = figures_of("w", "t", rounds=[a_round(10, 1_000, 0, 7)], untraced=untraced)
    assert found.tool_ns is None
    assert found.lost == 7


@pytest.mark.parametrize(
    ("most", "least", "kept"),
    [(None, None, None), (3, None, True), (2, None, False), (0, 3, False)],
)
def test_what_is_wanted_is_kept_or_not(
    most: float | None, least: float | None, kept: bool | None
) -> None:
    assert Figure("n", Spread.of([2.5, 2.5]), "", most, least).kept is kept


def test_ours_and_the_usual_way_are_compared_where_both_were_measured() -> None:
    both = results(
        figures(OURS, tool_ns=Spread(2, 1, 4)), figures(USUAL, tool_ns=Spread(90, 80, 100))
    )
    (figure,) = derived(both)
    assert figure.value == Spread(45, 20, 100)
    assert figure.kept is None
    assert derived(results(figures(OURS, tool_ns=Spread(2, 1, 4)))) == []


def test_what_is_decoded_paired_and_encoded_is_compared_without_the_way_to_a_collector() -> None:
    both = results(
        figures(COUNTED, tool_ns=Spread(2, 1, 3)), figures(USUAL, tool_ns=Spread(90, 80, 100))
    )
    (calls,) = {one.workload.partition(",")[0] for one in both.tools}
    both.figures = [Figure(f"{ENCODED}{calls}", Spread(500, 250, 1000), "M/s")]
    (figure,) = derived(both)
    assert figure.value == Spread(90 / 4, 80 / 7, 100 / 2)
    assert figure.kept is False


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    kept = results(figures("a", tool_ns=None), figures("b"))
    kept.figures = [Figure("f", Spread(1, 0, 2), "ms", most=3)]
    kept.missing = {"c": "it is not installed"}
    assert read(kept.write(tmp_path)) == kept


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = filled(page, results(figures("a")))
    assert new.startswith(f"before\n{BEGIN}\n")
    assert new.endswith(f"{END}\nafter\n")
    assert "old" not in new
    assert filled(new, results(figures("a"))) == new


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0, "0.00 %")]
)
def test_a_share_that_is_not_all_never_looks_like_it(value: float, text: str) -> None:
    assert share(Spread.of([value])) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234")]
)
def test_numbers_have_the_figures_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_the_dearest_tool_stands_first_and_what_is_missing_says_why() -> None:
    shown = results(figures("cheap", wall=2), figures("dear", wall=90))
    shown.missing = {"other": "it is not installed"}
    text = rendered(shown)
    assert text.index("dear") < text.index("cheap")
    assert "* other: it is not installed" in text


def test_a_figure_that_is_not_as_wanted_says_so() -> None:
    shown = results(figures("a"))
    shown.figures = [
        Figure("slow", Spread.of([3]), "ms", most=2),
        Figure("quick", Spread.of([1]), "ms", most=2),
        Figure("lost", Spread.of([0]), most=0),
    ]
    text = " ".join(rendered(shown).split())
    assert "| slow | 3 ms | at most 2 ms (not kept) |" in text
    assert "| quick | 1 ms | at most 2 ms |" in text
    assert "| lost | 0 | 0 |" in text


def test_the_picture_shows_every_tool_and_marks_ours() -> None:
    shown = results(
        figures("container-tracer, OTLP", wall=5),
        figures("a <tool>", wall=50, tool_ns=None),
        figures("free", wall=2, tool_ns=Spread(0, 0, 0)),
    )
    picture = ET.fromstring(drawn(shown, "w"))  # noqa: S314 - our own
    bars = [
        one
        for one in picture.iter("{http://www.w3.org/2000/svg}rect")
        if one.get("class") != "paper"
    ]
    assert [bar.get("class") for bar in bars].count("ours") == 2
    assert [bar.get("class") for bar in bars].count("peer") == 2
    assert all(math.isfinite(float(bar.get("width", "nan"))) for bar in bars)
    texts = {one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"a <tool>", "free", "container-tracer, OTLP"} <= texts
