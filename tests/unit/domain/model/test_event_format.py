"""Format texts become dtypes, and what is none is refused by name."""

import numpy as np
import pytest

from container_tracer.domain.model.event_format import (
    EventField,
    EventFormat,
    Placement,
    UnreadableFormat,
    parse_event_format,
    structured_dtype,
)

COMMON = """\
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
"""


def text(*lines: str, head: str = "name: made_up\nID: 77\nformat:\n", common: str = COMMON) -> str:
    fields = "".join(f"\tfield:{line}\n" for line in lines)
    return f'{head}{common}\n{fields}\nprint fmt: "%d", REC->x\n'


def only_field(declaration: str, *, size: int, signed: int = 0, offset: int = 8) -> EventField:
    line = f"{declaration};\toffset:{offset};\tsize:{size};\tsigned:{signed};"
    return parse_event_format(text(line)).fields[4]


def test_name_id_and_all_fields_are_read_in_order() -> None:
    one = parse_event_format(text("int a;\toffset:8;\tsize:4;\tsigned:1;"))
    assert (one.name, one.event_id, one.size) == ("made_up", 77, 12)
    assert [x.name for x in one.fields] == [
        "common_type",
        "common_flags",
        "common_preempt_count",
        "common_pid",
        "a",
    ]


@pytest.mark.parametrize(
    ("declaration", "size", "signed", "dtype"),
    [
        ("int x", 4, 1, "<i4"),
        ("unsigned int x", 4, 0, "<u4"),
        ("s64 x", 8, 1, "<i8"),
        ("bool x", 1, 0, "u1"),
        ("const char * x", 8, 0, "<u8"),
        ("struct thing x", 12, 0, "V12"),
        ("char x[16]", 16, 1, "S16"),
        ("char x[1]", 1, 1, "i1"),
        ("char x[TASK_COMM_LEN]", 16, 1, "S16"),
        ("u8 x[16]", 16, 0, ("u1", (16,))),
        ("unsigned long x[6]", 48, 0, ("<u8", (6,))),
        ("u32 x[2][3]", 24, 0, ("<u4", (6,))),
        ("u64 x[SOME_CONSTANT]", 24, 0, ("u1", (24,))),
        ("u64 x[\N{SUPERSCRIPT TWO}]", 24, 0, ("u1", (24,))),
        ("struct thing x[5]", 12, 0, "V12"),
        ("__data_loc char[] x", 4, 1, "<u4"),
        ("__rel_loc u32[] x", 4, 0, "<u4"),
    ],
)
def test_a_field_has_the_dtype_of_its_declaration(
    declaration: str, size: int, signed: int, dtype: object
) -> None:
    assert only_field(declaration, size=size, signed=signed).dtype == np.dtype(dtype)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("declaration", "size", "placement", "type_name"),
    [
        ("int x", 4, Placement.INLINE, "int"),
        ("__data_loc char[] x", 4, Placement.DATA_LOC, "char[]"),
        ("__rel_loc u32[] x", 4, Placement.REL_LOC, "u32[]"),
        ("char x[]", 0, Placement.TAIL, "char[]"),
        ("struct sockaddr * x", 8, Placement.INLINE, "struct sockaddr *"),
    ],
)
def test_a_field_says_where_its_value_is(
    declaration: str, size: int, placement: Placement, type_name: str
) -> None:
    one = only_field(declaration, size=size)
    assert (one.placement, one.type_name) == (placement, type_name)


def test_a_tail_is_no_column_but_begins_at_the_records_size() -> None:
    one = parse_event_format(text("char buf[];\toffset:8;\tsize:0;\tsigned:1;"))
    assert one.size == 8
    assert one.dtype.names is not None
    assert "buf" not in one.dtype.names


def test_a_record_is_padded_to_whole_words() -> None:
    one = parse_event_format(text("char x;\toffset:8;\tsize:1;\tsigned:1;"))
    assert one.dtype.itemsize == 12


def test_fields_without_a_sign_are_unsigned() -> None:
    one = parse_event_format(text("int x;\toffset:8;\tsize:4;"))
    assert one["x"].dtype == np.dtype("<u4")


def test_fields_of_the_same_name_are_told_apart() -> None:
    line = "int a;\toffset:{};\tsize:4;\tsigned:1;"
    taken = "int a_2;\toffset:20;\tsize:4;\tsigned:1;"
    one = parse_event_format(text(line.format(8), line.format(12), line.format(16), taken))
    names = [x.name for x in one.fields[4:]]
    assert names == ["a", "a_2", "a_3", "a_2_2"]
    assert one.dtype.names is not None
    assert set(names) < set(one.dtype.names)


def test_fields_in_the_print_format_are_none() -> None:
    one = parse_event_format(text() + "\tfield:int x;\toffset:8;\tsize:4;\tsigned:1;\n")
    assert len(one.fields) == 4


def test_a_field_is_found_by_name_and_a_stranger_is_an_error() -> None:
    one = parse_event_format(text())
    assert one["common_pid"].offset == 4
    with pytest.raises(UnreadableFormat, match="made_up has no field 'x'"):
        one["x"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("", "lacks its name or ID"),
        (text(head="name: x\nformat:\n"), "lacks its name or ID"),
        (text(head="name: x\nID: none\nformat:\n"), "lacks its name or ID"),
        (text(head="name: x\nID: 123456\nformat:\n"), "lacks its name or ID"),
        (text(head="name: x\nID: 65536\nformat:\n"), "an ID or a size that no record"),
        (text("int x;\toffset:8;\tsize:?;"), "a field that is not one"),
        (text("int x;\toffset:999999;\tsize:4;"), "a field that is not one"),
        (text("int x;\toffset:8;\tsize:" + "9" * 5000 + ";"), "a field that is not one"),
        (text("int x;\toffset:65533;\tsize:4;"), "an ID or a size that no record"),
        (text("???;\toffset:8;\tsize:4;\tsigned:0;"), "Cannot read the field declaration"),
        (text("__data_loc char[] x;\toffset:8;\tsize:8;\tsigned:0;"), "is not a place"),
        (text(common=""), "lacks the fields that all events begin with"),
        (text(common=COMMON.replace("offset:4", "offset:8")), "lacks the fields that all"),
    ],
)
def test_what_is_no_format_is_refused(broken: str, message: str) -> None:
    with pytest.raises(UnreadableFormat, match=message):
        parse_event_format(broken)


def test_a_structured_dtype_holds_its_columns_where_they_were_put() -> None:
    dtype = structured_dtype([("a", np.dtype("<u2"), 2), ("b", np.dtype("S3"), 6)])
    assert dtype.itemsize == 12
    assert dtype.fields is not None
    assert [dtype.fields[name][1] for name in ("a", "b")] == [2, 6]


def test_every_recorded_format_is_one_dtype(recorded_formats: dict[str, EventFormat]) -> None:
    assert len(recorded_formats) > 2300
    assert len({one.event_id for one in recorded_formats.values()}) == len(recorded_formats)
    for name, one in recorded_formats.items():
        assert name.endswith(":" + one.name)
        inside = [x for x in one.fields if x.placement is not Placement.TAIL]
        assert one.dtype.names == tuple(x.name for x in inside)
        end = max(x.offset + x.size for x in inside)
        assert end <= one.dtype.itemsize < end + 4
        assert one.size >= end


def test_no_field_of_a_recorded_format_is_opaque(
    recorded_formats: dict[str, EventFormat],
) -> None:
    fields = [x for one in recorded_formats.values() for x in one.fields]
    assert not [x for x in fields if x.size and x.dtype.base.kind == "V"]
