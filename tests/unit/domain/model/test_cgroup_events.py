import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.attachments import Attachment
from container_tracer.domain.model.cgroup_events import (
    ATTACH,
    NEWTASK,
    POPULATED,
    REMOVE,
    WATCHED,
    BornInside,
    CgroupEventDecoder,
    CgroupEvents,
    ContainerCgroupEnded,
)
from container_tracer.domain.model.event_format import UnreadableFormat, parse_event_format
from container_tracer.fakes.event_record import FieldValue
from container_tracer.fakes.kernel_tracer import HEADER_PAGE
from container_tracer.fakes.sub_buffer import CpuWriter, sub_buffers

ID = "ab" * 32
POD = "/kubepods/besteffort/pod0123-45"
CGROUP = f"{POD}/{ID}"


@pytest.fixture(scope="session")
def formats(recorded_format_texts: dict[str, str]) -> dict[str, str]:
    return {name: recorded_format_texts[name] for name in WATCHED}


@pytest.fixture(scope="session")
def decoder(formats: dict[str, str]) -> CgroupEventDecoder:
    return CgroupEventDecoder.of(HEADER_PAGE, formats)


def decoded(
    decoder: CgroupEventDecoder,
    formats: dict[str, str],
    *happened: tuple[int, int, str, dict[str, FieldValue]],
) -> CgroupEvents:
    """Record events, as (time, CPU, name, values), and decode them."""
    writers = {cpu: CpuWriter(cpu) for cpu in (0, 1)}
    for at_ns, cpu, name, values in happened:
        writers[cpu].event(parse_event_format(formats[name]), values, tid=1, at_ns=at_ns)
    pages = sub_buffers({cpu: one.take() for cpu, one in writers.items()})
    return decoder.decode(pages.data, pages.cpu)


def attach(path: str, pid: int, hierarchy: int = 0) -> dict[str, FieldValue]:
    return {"dst_path": path, "pid": pid, "dst_root": hierarchy, "comm": "runc:[2:INIT]"}


def test_who_is_put_into_a_cgroup_is_known_with_its_container(
    decoder: CgroupEventDecoder, formats: dict[str, str]
) -> None:
    found = decoded(
        decoder,
        formats,
        (100, 0, ATTACH, attach(CGROUP, 7)),
        (200, 0, ATTACH, attach(f"{CGROUP}/inner", 8, 9)),
        (300, 0, ATTACH, attach("/system.slice/sshd.service", 9)),
    )
    assert found.events == (
        Attachment(time_ns=100, tid=7, path=CGROUP, container_id=ID),
        Attachment(time_ns=200, tid=8, path=f"{CGROUP}/inner", container_id=ID, hierarchy=9),
        Attachment(time_ns=300, tid=9, path="/system.slice/sshd.service"),
    )


def test_events_of_all_cpus_come_in_order_of_time(
    decoder: CgroupEventDecoder, formats: dict[str, str]
) -> None:
    found = decoded(
        decoder,
        formats,
        *[(at, at % 2, ATTACH, attach(CGROUP, at)) for at in (3, 2, 5, 4, 7, 6)][::1],
    )
    assert [one.time_ns for one in found.events] == [2, 3, 4, 5, 6, 7]


def test_only_the_end_of_a_containers_own_cgroup_is_its_end(
    decoder: CgroupEventDecoder, formats: dict[str, str]
) -> None:
    found = decoded(
        decoder,
        formats,
        (1, 0, POPULATED, {"path": CGROUP, "val": 1, "root": 3}),
        (2, 0, POPULATED, {"path": f"{CGROUP}/inner", "val": 0}),
        (3, 0, POPULATED, {"path": CGROUP, "val": 0, "root": 3}),
        (4, 0, POPULATED, {"path": POD, "val": 0}),
        (5, 0, REMOVE, {"path": f"{CGROUP}/inner"}),
        (6, 0, REMOVE, {"path": CGROUP}),
    )
    assert found.events == (
        ContainerCgroupEnded(3, ID, 3, removed=False),
        ContainerCgroupEnded(6, ID, 0, removed=True),
    )


def test_a_process_made_right_in_a_cgroup_is_told_of_by_its_tid(
    decoder: CgroupEventDecoder, formats: dict[str, str]
) -> None:
    found = decoded(decoder, formats, (5, 1, NEWTASK, {"pid": 77, "clone_flags": 1 << 33}))
    assert found.events == (BornInside(5, 77),)


def test_names_that_are_no_text_stay_what_they_are(
    decoder: CgroupEventDecoder, formats: dict[str, str]
) -> None:
    found = decoded(decoder, formats, (5, 0, ATTACH, attach("/\udcff", 1) | {"dst_path": b"/\xff"}))
    (one,) = found.events
    assert isinstance(one, Attachment)
    assert one.path.encode(errors="surrogateescape") == b"/\xff"


def test_a_kernel_whose_events_lack_a_field_is_refused(formats: dict[str, str]) -> None:
    odd = formats[ATTACH].replace("dst_path", "other_path")
    with pytest.raises(UnreadableFormat, match="no field 'dst_path'"):
        CgroupEventDecoder.of(HEADER_PAGE, {**formats, ATTACH: odd})


def test_losses_are_counted(decoder: CgroupEventDecoder, formats: dict[str, str]) -> None:
    writer = CpuWriter(0)
    writer.event(parse_event_format(formats[ATTACH]), attach(CGROUP, 7), tid=1, at_ns=5)
    page = bytearray(writer.take()[0])
    page[8 + 3] |= 0x80  # RB_MISSED_EVENTS
    found = decoder.decode(np.frombuffer(bytes(page), np.uint8), np.zeros(1, np.int16))
    assert (found.losses, len(found.events)) == (1, 1)


@given(st.data())
def test_any_bytes_are_decoded_without_failing(
    decoder: CgroupEventDecoder, formats: dict[str, str], data: st.DataObject
) -> None:
    """Bytes of a page of real events, some of them changed."""
    writer = CpuWriter(0)
    for n in range(8):
        writer.event(parse_event_format(formats[ATTACH]), attach(CGROUP, n), tid=1, at_ns=n)
        values: dict[str, FieldValue] = {"path": CGROUP, "val": 0}
        writer.event(parse_event_format(formats[POPULATED]), values, tid=1, at_ns=n)
    page = bytearray(writer.take()[0])
    for _ in range(data.draw(st.integers(1, 20))):
        page[data.draw(st.integers(8, 1500))] = data.draw(st.integers(0, 255))
    found = decoder.decode(np.frombuffer(bytes(page), np.uint8), np.zeros(1, np.int16))
    assert len(found.events) <= 1024
