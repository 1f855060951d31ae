"""Colours come only where they are welcome, documents are documents."""

import io
import json

import pytest
import yaml

from container_tracer.entrypoints.cli.output import OutputForm, make_output
from container_tracer.entrypoints.cli.table import Column, Table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "asked", "colour"),
    [
        (Terminal(), {"TERM": "xterm"}, True, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        (Terminal(), {"TERM": "dumb"}, True, False),
        (Terminal(), {"TERM": "xterm"}, False, False),
        (io.StringIO(), {"TERM": "xterm"}, True, False),
    ],
)
def test_colours_are_for_terminals_whose_owner_wants_them(
    stream: io.StringIO, environ: dict[str, str], *, asked: bool, colour: bool
) -> None:
    made = make_output(
        OutputForm.TABLE, stream=stream, errors=io.StringIO(), environ=environ, colour=asked
    )
    assert made.colour is colour


@pytest.mark.parametrize("value", [{}, {"b": [1, "\x1b\n: #"], "a": {"ä": None}}])
def test_documents_are_read_back_as_they_were(value: dict[str, object]) -> None:
    table = Table(columns=(Column(title="A"),), rows=[])
    for form, read in ((OutputForm.JSON, json.loads), (OutputForm.YAML, yaml.safe_load)):
        stream = io.StringIO()
        output = make_output(form, stream=stream, errors=io.StringIO(), environ={})
        output.show(document=value, table=table)
        assert read(stream.getvalue()) == value
        assert stream.getvalue().isascii()


def test_problems_go_to_standard_error_in_one_line() -> None:
    errors = io.StringIO()
    output = make_output(OutputForm.TABLE, stream=io.StringIO(), errors=errors, environ={})
    output.problem("It is \x1b[31mred\nand broken.")
    assert errors.getvalue() == "container-tracer: It is \\x1b[31mred\\nand broken.\n"
