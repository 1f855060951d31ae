"""What tracefs says is read where it is; where it is not, that is said."""

from pathlib import Path

import pytest

from container_tracer.adapters.system.tracefs_survey import survey_tracefs
from container_tracer.domain.model.diagnosis.facts import Refusal


def test_without_a_folder_or_a_mount_it_is_missing(tmp_path: Path) -> None:
    nowhere = survey_tracefs(tmp_path / "tracing")
    assert (nowhere.has_folder, nowhere.instances.refusal) == (False, Refusal.MISSING)
    unmounted = survey_tracefs(tmp_path)
    assert (unmounted.has_folder, unmounted.instances.refusal) == (True, Refusal.MISSING)


def test_what_may_not_be_looked_into_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    facts = survey_tracefs(tmp_path)
    assert (facts.has_folder, facts.instances.refusal) == (True, Refusal.DENIED)


def test_everybody_who_records_is_read(tmp_path: Path) -> None:
    for folder, events in ((tmp_path, ""), (tmp_path / "instances/else", "sched:sched_switch\n")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "set_event").write_text(events)
        (folder / "current_tracer").write_text("nop\n")
        (folder / "tracing_on").write_text("1\n")
    (tmp_path / "available_events").write_text("sched:sched_switch\n")
    facts = survey_tracefs(tmp_path)
    assert facts.folder == str(tmp_path)
    assert facts.writable
    assert not facts.read_only
    assert {"available_events", "instances"} <= facts.files
    assert facts.events.words == ["sched:sched_switch"]
    assert facts.function_filter.refusal is Refusal.MISSING
    assert [(one.name, one.events.words) for one in facts.recorders] == [
        ("", []),
        ("else", ["sched:sched_switch"]),
    ]
