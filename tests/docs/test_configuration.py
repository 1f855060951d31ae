"""The page of all flags and variables is that of the settings, and these are what is read."""

from collections.abc import Iterator, Mapping

import pytest
from attrs import define, field

from container_tracer.entrypoints.configuration_page import PAGE, ROLES, Role, page, sections_of
from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.options import NONE, options_of
from container_tracer.entrypoints.svc import settings as svc

READERS = {node.NodeSettings: node.read_settings, svc.SvcSettings: svc.read_settings}
SETTINGS = tuple(READERS)
OPTIONS = [(one, name) for one in SETTINGS for name in options_of(one)]


@define
class Watched(Mapping[str, str]):
    """An environment that knows which variables were looked at."""

    said: dict[str, str]
    read: set[str] = field(factory=set)

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return self.said[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.said)

    def __len__(self) -> int:
        return len(self.said)


def test_it_is_current() -> None:
    assert PAGE.read_text() == page(), "make docs writes it anew"


@pytest.mark.parametrize("settings", SETTINGS)
def test_every_option_is_in_one_section_of_its_role(settings: type) -> None:
    listed = [one for section in sections_of(settings).values() for one in section]
    assert sorted(map(repr, listed)) == sorted(map(repr, options_of(settings).values()))
    (role,) = (one for one in ROLES if one.settings is settings)
    text = page().partition(f"\n## {role.program}\n")[2].partition("\n## ")[0]
    for one in listed:
        assert all(f"`{name}`" in text for name in (one.flag, *one.variables) if name)


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_that_is_read_is_in_it_and_no_other(role: Role) -> None:
    environ = Watched({"OTEL_TRACES_SAMPLER": "traceidratio"})
    READERS[role.settings]([], environ)
    options = {**options_of(role.settings), **role.later}.values()
    of_options = {name for one in options for name in one.variables}
    alone = {one.name for one in role.settings.VARIABLES_ALONE}
    assert not of_options & alone
    assert environ.read == of_options | alone


@pytest.mark.parametrize(("settings", "name"), OPTIONS)
def test_what_it_says_of_defaults_is_what_there_is(settings: type, name: str) -> None:
    how, value = options_of(settings)[name], getattr(READERS[settings]([], {}), name)
    words = [] if how.default in (NONE, "any") else how.default.split(", ")
    if not words:
        assert value in (None, "", (), {})
    elif not any(" " in one for one in words):
        assert how.parse(words) == value


@pytest.mark.parametrize(("settings", "name"), OPTIONS)
def test_defaults_units_and_the_like_are_said_in_one_place(settings: type, name: str) -> None:
    how = options_of(settings)[name]
    assert "default" not in how.meaning
    assert "repeatable" not in how.meaning
    assert how.default in how.described
    assert how.unit in how.described
