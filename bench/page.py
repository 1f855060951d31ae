"""The measured part of docs/performance.md, between its marks."""

from pathlib import Path

from .chart import drawn
from .results import Results
from .table import rendered

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/pictures/costs.svg"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def filled(page: str, results: Results) -> str:
    """Put results in the place of earlier ones."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rendered(results)}{END}{after}"


def publish(results: Results) -> None:
    """Write the page and its picture."""
    PAGE.write_text(filled(PAGE.read_text(), results))
    PICTURE.write_text(drawn(results, results.workloads()[0]))
