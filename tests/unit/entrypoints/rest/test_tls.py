"""Files of TLS may be replaced while they are in use; what cannot be used changes nothing."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import define, field
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from container_tracer.entrypoints.certificates import Side
from container_tracer.entrypoints.rest.tls import WARN_SECONDS, Loaded, RotatingTls, TlsUses
from container_tracer.entrypoints.rest.tls_metrics import TlsMetrics

NOW = datetime(2026, 11, 21, tzinfo=UTC).timestamp()
FAR = int(NOW) + 10 * WARN_SECONDS
DAY = 24 * 3600


@define
class StandInFiles:
    """One file; what is loaded of it is said by its text: until when it is valid, or `broken`."""

    path: Path
    loaded: list[ssl.SSLContext] = field(factory=list)

    @property
    def side(self) -> Side:
        return Side.SERVER

    @property
    def paths(self) -> Sequence[Path]:
        return [self.path]

    def load(self) -> Loaded:
        text = self.path.read_text() if self.path.exists() else "broken"
        if text == "broken":
            raise ValueError("it is broken")
        self.loaded.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return Loaded(context=self.loaded[-1], valid_until=int(text))


@define
class Scene:
    files: StandInFiles
    tls: RotatingTls
    seconds: float = NOW

    @property
    def current(self) -> ssl.SSLContext:
        context = self.tls.context
        assert isinstance(context, ssl.SSLContext)
        current: ssl.SSLContext = vars(context)["current"]
        return current

    def metrics(self) -> str:
        return generate_latest(TlsMetrics(TlsUses(server=self.tls))).decode()

    def look(self, text: str | None = None) -> list[str]:
        """Write the file, look, and return the events that were logged."""
        if text is not None:
            self.files.path.write_text(text)
        with capture_logs() as logs:
            self.tls.look()
        return [one["event"] for one in logs]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    path = tmp_path / "file"
    path.write_text(str(FAR))
    files = StandInFiles(path)
    made = Scene(files, RotatingTls(use="server", files=files, now=lambda: made.seconds))
    made.tls.load()
    assert made.current is files.loaded[0]
    return made


def test_files_that_stay_the_same_are_left_alone(scene: Scene) -> None:
    assert scene.look() == []
    assert scene.look(str(FAR)) == []
    assert len(scene.files.loaded) == 1


def test_new_files_are_for_new_connections_of_the_same_context(scene: Scene) -> None:
    context = scene.tls.context
    assert scene.look(str(FAR + 1)) == ["tls.reloaded"]
    assert scene.tls.context is context
    assert scene.current is scene.files.loaded[1]
    assert scene.tls.valid_until == FAR + 1


def test_new_files_that_are_broken_are_reported_once_and_the_former_are_kept(scene: Scene) -> None:
    assert scene.look("broken") == ["tls.not_reloaded"]
    assert scene.look() == []
    assert scene.current is scene.files.loaded[0]
    assert 'container_tracer_tls_reload_failed{use="server"} 1.0' in scene.metrics()
    assert scene.look(str(FAR)) == ["tls.reloaded"]
    assert 'container_tracer_tls_reload_failed{use="server"} 0.0' in scene.metrics()


def test_a_file_that_is_gone_is_reported_and_the_former_is_kept(scene: Scene) -> None:
    scene.files.path.unlink()
    assert scene.look() == ["tls.not_reloaded"]
    assert scene.current is scene.files.loaded[0]


def test_the_end_of_a_certificate_is_warned_of_once_a_day(scene: Scene) -> None:
    scene.seconds = FAR - WARN_SECONDS - 1
    assert scene.look() == []
    scene.seconds += 2
    assert scene.look() == ["tls.certificate_expires"]
    scene.seconds += DAY - 1
    assert scene.look() == []
    scene.seconds += 1
    assert scene.look() == ["tls.certificate_expires"]
    scene.seconds = FAR + 1
    assert scene.look() == ["tls.certificate_expired"]


def test_a_new_certificate_that_ends_soon_is_warned_of_at_once(scene: Scene) -> None:
    scene.seconds = FAR - 1
    assert scene.look() == ["tls.certificate_expires"]
    assert scene.look(str(FAR + 1)) == ["tls.reloaded", "tls.certificate_expires"]


def test_the_time_left_is_a_metric(scene: Scene) -> None:
    scene.seconds = FAR + 5
    assert 'container_tracer_tls_certificate_expires_seconds{use="server"} -5.0' in scene.metrics()


def test_where_no_certificate_is_shown_there_is_no_time_left(scene: Scene) -> None:
    scene.look("0")
    assert scene.tls.seconds_left is None
    assert "expires_seconds{" not in scene.metrics()


def test_connections_that_come_to_nothing_are_told_in_a_line_a_minute(scene: Scene) -> None:
    for _ in range(3):
        scene.tls.refused["no shared cipher"] += 1000
        with capture_logs() as logs:
            scene.tls.look()
            scene.tls.look()
            scene.seconds += 59
            scene.tls.look()
        assert [one["reasons"] for one in logs] == [{"no shared cipher": 1000}]
        scene.seconds += 1
    assert 'tls_handshakes_failed_total{use="server"} 3000.0' in scene.metrics()
