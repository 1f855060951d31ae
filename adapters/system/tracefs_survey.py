"""What tracefs says about itself, and about everybody who uses it; nothing is changed."""

import os
from pathlib import Path

from ...domain.model.diagnosis.facts import Reading, RecorderFacts, TracefsFacts
from .readings import names, reading, refused


def survey_tracefs(folder: Path) -> TracefsFacts:
    """Read tracefs where it is mounted, or would be; what may not be read is said so."""
    instances = _instances(folder / "instances")
    if not instances.known:
        return TracefsFacts(folder=str(folder), has_folder=folder.is_dir(), instances=instances)
    return TracefsFacts(
        folder=str(folder),
        has_folder=True,
        instances=instances,
        read_only=bool(os.statvfs(folder).f_flag & os.ST_RDONLY),
        writable=os.access(folder / "instances", os.W_OK),
        files=frozenset(names(folder)),
        readme=reading(folder / "README"),
        events=reading(folder / "available_events"),
        tracers=reading(folder / "available_tracers"),
        function_filter=reading(folder / "set_ftrace_filter"),
        clocks=reading(folder / "trace_clock"),
        options=reading(folder / "trace_options"),
        recorders=(
            _recorder("", folder),
            *(_recorder(name, folder / "instances" / name) for name in instances.words),
        ),
    )


def _instances(folder: Path) -> Reading:
    try:
        return Reading("\n".join(sorted(one.name for one in folder.iterdir())))
    except OSError as error:
        return refused(error)


def _recorder(name: str, folder: Path) -> RecorderFacts:
    return RecorderFacts(
        name=name,
        events=reading(folder / "set_event"),
        tracer=reading(folder / "current_tracer"),
        tracing_on=reading(folder / "tracing_on"),
    )
