"""Selecting by labels, as Kubernetes writes it: `app=web,tier in (front,back),!canary`.

Source of the form: "Label selectors" in the documentation of Kubernetes, and its parser
(k8s.io/apimachinery/pkg/labels). What its API leaves out of the form, `<` and `>`, is refused.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Self

from attrs import define, field, frozen

from .errors import RequestError

MAX_PREFIX_CHARACTERS = 253
"""Of a key such as `example.com/name`, as of every DNS name."""

_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^ \t\r\n=!(),<>]+|\Z)")
_SIGNS = ("==", "!=", *"=!(),<>")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_EXCERPT_CHARACTERS = 40


class InvalidLabels(RequestError):
    """A text that selects by labels cannot be read; the sentence points at the place."""


class LabelOperator(StrEnum):
    """What a requirement says of the value of its key."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "absent"


@frozen
class LabelRequirement:
    """What one label must be. Without a label of that key, `NOT_IN` holds too."""

    key: str
    operator: LabelOperator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels are so."""
        match self.operator:
            case LabelOperator.IN:
                return self.key in labels and labels[self.key] in self.values
            case LabelOperator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case LabelOperator.EXISTS:
                return self.key in labels
            case LabelOperator.ABSENT:
                return self.key not in labels

    def __str__(self) -> str:
        """Write it as it is read, in the shortest form."""
        if self.operator is LabelOperator.EXISTS:
            return self.key
        if self.operator is LabelOperator.ABSENT:
            return f"!{self.key}"
        if len(self.values) == 1:
            sign = "=" if self.operator is LabelOperator.IN else "!="
            return f"{self.key}{sign}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(self.values)})"


@frozen
class LabelSelector:
    """Requirements, all of which must hold; without any, all labels match."""

    requirements: tuple[LabelRequirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether every requirement holds."""
        return all(one.matches(labels) for one in self.requirements)

    def __str__(self) -> str:
        """Write it as it is read."""
        return ",".join(map(str, self.requirements))


def label_selector(labels: str | Mapping[str, str] | LabelSelector) -> LabelSelector:
    """Read a text, or take exact labels, whatever they are; raise `InvalidLabels`."""
    if isinstance(labels, LabelSelector):
        return labels
    if isinstance(labels, str):
        return LabelSelector(_Reader.of(labels).requirements())
    exact = (LabelRequirement(key, LabelOperator.IN, (one,)) for key, one in labels.items())
    return LabelSelector(tuple(exact))


@frozen
class _Token:
    """A sign, a word, or the end, which is empty; `at` counts characters from 0."""

    text: str
    at: int

    @property
    def is_word(self) -> bool:
        return bool(self.text) and self.text not in _SIGNS


@define
class _Reader:
    """Reads a text from left to right, for as long as it is read."""

    text: str
    tokens: list[_Token] = field(factory=list)

    @classmethod
    def of(cls, text: str) -> Self:
        found = (_Token(one[1], one.start(1)) for one in _TOKEN.finditer(text))
        return cls(text, list(found)[::-1])

    @property
    def next(self) -> _Token:
        return self.tokens[-1]

    def requirements(self) -> tuple[LabelRequirement, ...]:
        if not self.next.text:
            return ()
        found = [self._requirement()]
        while self.next.text:
            self._expect(",", "',' or the end")
            found.append(self._requirement())
        return tuple(found)

    def _requirement(self) -> LabelRequirement:
        if self.next.text == "!":
            self._take()
            return LabelRequirement(self._key(), LabelOperator.ABSENT)
        key = self._key()
        if self.next.text in ("", ","):
            return LabelRequirement(key, LabelOperator.EXISTS)
        sign = self._take()
        match sign.text:
            case "=" | "==":
                return LabelRequirement(key, LabelOperator.IN, (self._value(),))
            case "!=":
                return LabelRequirement(key, LabelOperator.NOT_IN, (self._value(),))
            case "in" | "notin":
                return LabelRequirement(key, LabelOperator(sign.text), self._values())
        raise self._wrong(sign, "'=', '==', '!=', 'in', 'notin', ',' or the end is expected")

    def _key(self) -> str:
        token = self._take()
        if not token.is_word:
            raise self._wrong(token, "the key of a label is expected")
        prefix, slash, name = token.text.rpartition("/")
        if slash and (len(prefix) > MAX_PREFIX_CHARACTERS or not _PREFIX.fullmatch(prefix)):
            raise self._wrong(token, "what stands before the '/' of a key must be a DNS name")
        if not _NAME.fullmatch(name):
            raise self._wrong(
                token,
                "a key has 1 to 63 letters, digits, '-', '_' and '.', and begins and ends with a"
                " letter or digit",
            )
        return token.text

    def _value(self) -> str:
        """Read a value; where none stands it is the empty one."""
        if not self.next.is_word and self.next.text in ("", ",", ")"):
            return ""
        token = self._take()
        if not token.is_word:
            raise self._wrong(token, "a value is expected")
        if not _NAME.fullmatch(token.text):
            raise self._wrong(
                token,
                "a value has at most 63 letters, digits, '-', '_' and '.', and begins and ends"
                " with a letter or digit",
            )
        return token.text

    def _values(self) -> tuple[str, ...]:
        self._expect("(", "'('")
        if self.next.text == ")":
            raise self._wrong(self.next, "a value is expected")
        values = [self._value()]
        while self.next.text == ",":
            self._take()
            values.append(self._value())
        self._expect(")", "',' or ')'")
        return tuple(dict.fromkeys(values))

    def _take(self) -> _Token:
        return self.tokens.pop() if self.next.text else self.next

    def _expect(self, sign: str, named: str) -> None:
        token = self._take()
        if token.text != sign:
            raise self._wrong(token, f"{named} is expected")

    def _wrong(self, token: _Token, rule: str) -> InvalidLabels:
        at, size = token.at, _EXCERPT_CHARACTERS
        start, end = max(0, at - size), min(len(self.text), at + size)
        before, behind = "..." if start else "", "..." if end < len(self.text) else ""
        there = f"at {token.text[:size]!r}" if token.text else "at its end"
        return InvalidLabels(
            f"The labels {before + self.text[start:end] + behind!r} cannot be read {there},"
            f" character {at + 1}: {rule}."
        )
