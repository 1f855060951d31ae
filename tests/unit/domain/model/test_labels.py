import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.labels import InvalidLabels, label_selector

WEB = {"app": "web", "tier": "front", "example.com/team": "a-b.c_d", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "app=web",
        "app==web",
        "app = web",
        "app!=db",
        "missing!=web",
        "app in (db,web)",
        "app in(web)",
        "app\tin\n( web , db )",
        "app notin (db,cache)",
        "missing notin (web)",
        "app",
        "!missing",
        "! missing",
        "example.com/team=a-b.c_d",
        "empty=",
        "empty==",
        "empty in (,a)",
        "empty in (a,)",
        "missing!=",
        "app!=",
        "app=web,tier in (front),!missing,empty,in!=x",
    ],
)
def test_labels_that_match(text: str) -> None:
    assert label_selector(text).matches(WEB)


@pytest.mark.parametrize(
    "text",
    [
        "app=WEB",
        "App=web",
        "missing",
        "missing=",
        "missing in (web)",
        "!app",
        "!empty",
        "app!=web",
        "empty!=",
        "app notin (web)",
        "empty notin (,a)",
        "app=",
        "app=web,tier=back",
        "team=a-b.c_d",
    ],
)
def test_labels_that_do_not_match(text: str) -> None:
    assert not label_selector(text).matches(WEB)


def test_a_key_may_be_called_like_an_operator() -> None:
    selector = label_selector("in in (in,notin),notin")

    assert selector.matches({"in": "notin", "notin": "in"})
    assert not selector.matches({"in": "notin"})


@pytest.mark.parametrize(
    ("text", "at", "rule"),
    [
        (",", 1, "the key of a label"),
        ("app=web,", 9, "the key of a label"),
        ("app=web,,tier", 9, "the key of a label"),
        ("=web", 1, "the key of a label"),
        ("!", 2, "the key of a label"),
        ("!=web", 1, "the key of a label"),
        ("app web", 5, "'in', 'notin'"),
        ("app IN (web)", 5, "'in', 'notin'"),
        ("app>3", 4, "'in', 'notin'"),
        ("app=web tier=front", 9, "',' or the end"),
        ("!app=web", 5, "',' or the end"),
        ("app=web)", 8, "',' or the end"),
        ("app=(web)", 5, "a value is expected"),
        ("app===web", 6, "a value is expected"),
        ("app in web", 8, r"'\('"),
        ("app in", 7, r"'\('"),
        ("app in ()", 9, "a value is expected"),
        ("app in (web", 12, r"',' or '\)'"),
        ("app in (web db)", 13, r"',' or '\)'"),
        ("app in (!web)", 9, "a value is expected"),
        ("-app=web", 1, "1 to 63 letters"),
        ("app.=web", 1, "1 to 63 letters"),
        ("ä=web", 1, "1 to 63 letters"),
        (f"{'a' * 64}=web", 1, "1 to 63 letters"),
        ("app=web, example.com/=x", 10, "1 to 63 letters"),
        ("Example.com/a=x", 1, "a DNS name"),
        ("a/b/c=x", 1, "a DNS name"),
        ("/a=x", 1, "a DNS name"),
        (f"{'a' * 254}/a=x", 1, "a DNS name"),
        ("app=web*", 5, "at most 63 letters"),
        ("app=-web", 5, "at most 63 letters"),
        (f"app={'a' * 64}", 5, "at most 63 letters"),
        ("app in (web,d*)", 13, "at most 63 letters"),
        ("app=we\x00b", 5, "at most 63 letters"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, at: int, rule: str) -> None:
    with pytest.raises(InvalidLabels, match=rule) as refused:
        label_selector(text)
    assert re.search(rf"character {at}:", str(refused.value))


def test_of_a_long_text_only_the_place_is_shown() -> None:
    text = ",".join(["app=web"] * 1000) + ",tier=*" + ",app=web" * 1000
    with pytest.raises(InvalidLabels, match=r"'\.\.\..*tier=\*.*\.\.\.' cannot be read") as refused:
        label_selector(text)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("app == web , !old", "app=web,!old"),
        ("app in (a,b,a)", "app in (a,b)"),
        ("app notin (a)", "app!=a"),
        ("tier", "tier"),
        ("empty=", "empty="),
        ("", ""),
    ],
)
def test_it_is_written_as_it_could_be_read(text: str, written: str) -> None:
    selector = label_selector(text)

    assert str(selector) == written
    assert label_selector(written) == selector


WORDS = st.sampled_from(["app", "in", "notin", "!", "=", "==", "!=", "(", ")", ",", " ", "x/y"])


@given(st.text() | st.lists(WORDS, max_size=12).map("".join))
def test_any_text_is_read_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        selector = label_selector(text)
    except InvalidLabels as refused:
        (at,) = re.findall(r", character (\d+): ", str(refused))
        assert 1 <= int(at) <= len(text) + 1
    else:
        assert label_selector(str(selector)) == selector


def test_exact_labels_may_be_what_kubernetes_would_refuse() -> None:
    selector = label_selector({"com.example project": "my shop, or two"})

    assert selector.matches({"com.example project": "my shop, or two"})
    assert not selector.matches({})
