"""What commands print: tables for people, documents for programs, problems on stderr."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TextIO

import yaml
from attrs import define, field

from ...client import NodeError
from ...domain.model.quoting import printable
from .program import CLIENT
from .table import Table, styled, table_lines

USUAL_WIDTH = 80


class OutputForm(StrEnum):
    """What results look like."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


@define(kw_only=True)
class Output:
    """Standard output and standard error, for as long as the program runs.

    `colour` is whether standard output may have colours, `program` who speaks. Texts may come
    from containers, so control characters in them are made visible.
    """

    form: OutputForm
    stream: TextIO
    errors: TextIO
    colour: bool = False
    program: str = CLIENT.name
    _told: set[str] = field(factory=set)

    @property
    def for_people(self) -> bool:
        """Tell whether results are tables and not documents."""
        return self.form in (OutputForm.TABLE, OutputForm.WIDE)

    @property
    def wide(self) -> bool:
        """Tell whether tables have all their columns."""
        return self.form is OutputForm.WIDE

    @property
    def width(self) -> int | None:
        """Return how many cells a line of the terminal has; None where there is no terminal."""
        return terminal_width(self.stream)

    def show(
        self, *, document: Mapping[str, object], table: Table, failed: Sequence[NodeError] = ()
    ) -> None:
        """Print one result in the form that was asked for, and which nodes it lacks."""
        if self.for_people:
            self.table(table)
        else:
            self.document(with_node_errors(document, failed))
        self.failed_nodes(failed)

    def table(self, table: Table) -> None:
        """Print a table; one without rows is a sentence on stderr, so that a pipe gets nothing."""
        if not table.rows:
            self.note(table.empty)
            return
        self.lines(table_lines(table, width=self.width, wide=self.wide, colour=self.colour))

    def text(self, lines: list[str]) -> None:
        """Print lines of text for people."""
        self.lines([printable(line) for line in lines])

    def document(self, value: object) -> None:
        """Print one JSON or YAML document, whatever its size."""
        if self.form is OutputForm.YAML:
            self.lines([yaml_text(value)])
        else:
            self.lines([json.dumps(value, indent=2)])

    def item_text(self, value: object) -> str:
        """Write one of many documents: a line of JSON, or a document of a YAML stream."""
        if self.form is OutputForm.YAML:
            return f"---\n{yaml_text(value)}"
        return json.dumps(value, separators=(",", ":"))

    def lines(self, lines: list[str]) -> None:
        """Print lines, at once."""
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.stream.flush()

    def note(self, sentence: str) -> None:
        """Tell a person something that is no result."""
        self._say(printable(sentence))

    def failed_nodes(self, failed: Iterable[NodeError]) -> None:
        """Tell a person which nodes failed and why, each once."""
        for sentence in map(str, failed):
            if sentence not in self._told:
                self._told.add(sentence)
                self.note(sentence)

    def problem(self, sentence: str) -> None:
        """Say what went wrong."""
        colour = self.colour and self.errors.isatty()
        self._say(f"{styled(f'{self.program}:', 'bad', colour=colour)} {printable(sentence)}")

    def _say(self, line: str) -> None:
        self.errors.write(f"{line}\n")
        self.errors.flush()


def make_output(
    form: OutputForm,
    *,
    stream: TextIO,
    errors: TextIO,
    environ: Mapping[str, str],
    colour: bool = True,
    program: str = CLIENT.name,
) -> Output:
    """Decide about colours: only on a terminal that can, and only where nobody minds."""
    wanted = colour and not environ.get("NO_COLOR") and environ.get("TERM", "") != "dumb"
    return Output(
        form=form,
        stream=stream,
        errors=errors,
        colour=wanted and stream.isatty(),
        program=program,
    )


def with_node_errors(
    document: Mapping[str, object], failed: Sequence[NodeError]
) -> Mapping[str, object]:
    """Add to a document which nodes it lacks, if any."""
    return {**document, "NodeErrors": [one.json for one in failed]} if failed else document


def terminal_width(stream: TextIO) -> int | None:
    """Return how many cells a line of a terminal has; None where it is none."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except OSError:
        return USUAL_WIDTH


def yaml_text(value: object) -> str:
    """Write a value of JSON as YAML, its keys in their order."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=10**6)
    return text.rstrip("\n")
