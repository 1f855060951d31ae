"""What the node role is told, and what it refuses to be told."""

import socket
from pathlib import Path

import pytest
from attrs import NOTHING, fields

from container_tracer import __version__
from container_tracer.domain.model.sampling import SampleRate
from container_tracer.entrypoints.exporting import single_span_exporters
from container_tracer.entrypoints.node.settings import NodeSettings, read_settings
from container_tracer.entrypoints.values import Address


def refusal(
    capsys: pytest.CaptureFixture[str], *argv: str, environ: dict[str, str] | None = None
) -> str:
    """Return the one line that says why nothing was started."""
    with pytest.raises(SystemExit) as raised:
        read_settings(argv, environ or {})
    captured = capsys.readouterr()
    assert raised.value.code == 2
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.isprintable()
    assert line.startswith("tracer-node: ")
    return line


def test_nothing_has_to_be_said() -> None:
    assert read_settings([], {}) == NodeSettings(
        address=Address("", 8080),
        node_name=socket.gethostname(),
        pod_name="",
        cri_endpoint="",
        run_paths=(Path("/run"), Path("/var/run")),
        procfs_path=Path("/proc"),
        sysfs_path=Path("/sys"),
        use_procfs=False,
        mount_tracefs=False,
        max_sessions=64,
        buffer_kib=8192,
        exporters=("console",),
        trace_file_directory=Path("/var/lib/container-tracer/traces"),
        service_name="container-tracer",
        tags={},
        verbose=False,
    )


@pytest.mark.parametrize(
    ("argv", "environ", "own"),
    [
        ((), {}, ()),
        (("--trace-exporter", "console"), {}, ("console",)),
        (("--trace-exporter", "otlp", "--trace-exporter", "zpages"), {}, ("otlp",)),
        ((), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"}, ("otlp",)),
        ((), {"TRACER_EXPORTER": "jaeger", "JAEGER_ENDPOINT": "http://a:14268"}, ("jaeger",)),
        (("--trace-exporter", "otlp", "--trace-sample-rate", "never"), {}, ()),
    ],
)
def test_own_spans_go_only_where_somebody_said(
    argv: tuple[str, ...], environ: dict[str, str], own: tuple[str, ...]
) -> None:
    settings = read_settings(argv, environ)
    assert settings.exporters
    assert tuple(one.name for one in single_span_exporters(settings, found=None)) == own


def test_everything_can_be_said_by_flag(tmp_path: Path) -> None:
    argv = (
        "--address 10.0.0.1:9 --node-name n --pod-name=p --cri-endpoint unix:///c.sock"
        " --run-path /a --run-path=/b"
        f" --procfs-path {tmp_path} --sysfs-path={tmp_path} --use-procfs --mount-tracefs"
        " --max-sessions 3 --buffer-kib=16 --trace-exporter file:jsonl --trace-exporter console"
        f" --trace-file-directory {tmp_path}/t --trace-service-name s --trace-tag a=b=c"
        " --trace-tag x= --verbose --trace-sample-rate 12.5"
    ).split()
    assert read_settings(argv, {}) == NodeSettings(
        address=Address("10.0.0.1", 9),
        node_name="n",
        pod_name="p",
        cri_endpoint="/c.sock",
        run_paths=(Path("/a"), Path("/b")),
        procfs_path=tmp_path,
        sysfs_path=tmp_path,
        use_procfs=True,
        mount_tracefs=True,
        max_sessions=3,
        buffer_kib=16,
        exporters=("file:jsonl", "console"),
        named_exporters=("file:jsonl", "console"),
        trace_file_directory=tmp_path / "t",
        service_name="s",
        tags={"a": "b=c", "x": ""},
        sample_rate=SampleRate(12.5),
        verbose=True,
    )


def test_everything_can_be_said_by_variable(tmp_path: Path) -> None:
    environ = {
        "TRACER_API_ADDRESS": "[::1]:9",
        "TRACER_NODE_NAME": "n",
        "TRACER_POD_NAME": "p",
        "TRACER_CRI_ENDPOINT": "/c.sock",
        "TRACER_RUN_PATHS": "/a, /b;/c /d",
        "TRACER_PROCFS_PATH": str(tmp_path),
        "TRACER_SYSFS_PATH": str(tmp_path),
        "TRACER_FORCE_PROCFS": "yes",
        "TRACER_MOUNT_TRACEFS": "1",
        "TRACER_MAX_SESSIONS": "3",
        "TRACER_BUFFER_KIB": "16",
        "TRACER_EXPORTER": "file;console",
        "TRACER_FILE_DIRECTORY": "/t",
        "OTEL_SERVICE_NAME": "s",
        "OTEL_RESOURCE_ATTRIBUTES": "a=b%2Cc, x=y",
        "TRACE_KUBE_VERBOSE": "On",
    }
    assert read_settings([], environ) == NodeSettings(
        address=Address("::1", 9),
        node_name="n",
        pod_name="p",
        cri_endpoint="/c.sock",
        run_paths=(Path("/a"), Path("/b"), Path("/c"), Path("/d")),
        procfs_path=tmp_path,
        sysfs_path=tmp_path,
        use_procfs=True,
        mount_tracefs=True,
        max_sessions=3,
        buffer_kib=16,
        exporters=("file", "console"),
        named_exporters=("file", "console"),
        trace_file_directory=Path("/t"),
        service_name="s",
        tags={"a": "b,c", "x": "y"},
        verbose=True,
    )


def test_a_flag_beats_its_variable() -> None:
    environ = {"TRACER_NODE_NAME": "n", "TRACER_RUN_PATHS": "/v", "TRACE_KUBE_VERBOSE": "1"}
    argv = ["--node-name=f", "--run-path=/f", "--verbose=no"]
    read = read_settings(argv, environ)
    assert (read.node_name, read.run_paths, read.verbose) == ("f", (Path("/f"),), False)


def test_a_wrong_variable_does_not_matter_where_the_flag_is_given() -> None:
    assert read_settings(["--address=:1"], {"TRACER_API_ADDRESS": "x"}).address == Address("", 1)


def test_an_empty_variable_is_as_good_as_none() -> None:
    environ = {"TRACER_API_ADDRESS": "", "TRACER_EXPORTER": " , ", "TRACER_MAX_SESSIONS": " "}
    assert read_settings([], environ) == read_settings([], {})


@pytest.mark.parametrize("spelling", ["1", "true", "YES", "on", "y"])
def test_yes_has_many_spellings(spelling: str) -> None:
    assert read_settings([], {"TRACER_VERBOSE": spelling}).verbose


@pytest.mark.parametrize("spelling", ["0", "False", "no", "OFF", "n", ""])
def test_no_has_many_spellings(spelling: str) -> None:
    assert not read_settings([], {"TRACER_VERBOSE": spelling}).verbose


def test_an_exporter_given_twice_is_meant_once() -> None:
    assert read_settings(["--trace-exporter=file"] * 2, {}).exporters == ("file",)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ("--nope", "--nope"),
        ("stray", "stray"),
        ("--addr=:1", "--addr"),
        ("--address", "expected one argument"),
        ("--address=", "--address: '' is no address"),
        ("--address=8080", "is no address"),
        ("--address=:0", "port '0'"),
        ("--address=:65536", "port '65536'"),
        ("--address=:-1", "port '-1'"),
        ("--address=:http", "port 'http'"),
        ("--address=:٣", "port"),
        ("--address=localhost:1", "'localhost' is no IP address"),
        ("--address=::1:80", "is no address; write IP:port, :port, or [IPv6]:port"),
        ("--address=[127.0.0.1]:80", "is no IPv6 address"),
        ("--address=[::1]", "is no address"),
        ("--procfs-path=/nowhere/at/all", "--procfs-path: '/nowhere/at/all' is no folder"),
        ("--use-procfs=maybe", "--use-procfs: 'maybe' is neither true nor false"),
        ("--max-sessions=0", "'0' is not a number from 1 to"),
        ("--max-sessions=1e3", "is not a number"),
        ("--buffer-kib=-1", "is not a number"),
        ("--trace-exporter=jaeger", "'jaeger' needs an address: give --jaeger-endpoint"),
        ("--trace-exporter=Console", "there is no exporter 'Console'; there are: console, file"),
        ("--trace-tag=x", "'x' is no key=value"),
        ("--trace-tag==x", "'=x' is no key=value"),
        ("--trace-tag=a=1 --trace-tag=a=2", "'a' is given twice"),
        ("--trace-tag=service.name=x", "'service.name' is reserved"),
        ("--trace-tag=k8s.pod.name=x", "'k8s.pod.name' is reserved"),
        ("--trace-tag=nodeName=x", "'nodeName' is reserved"),
        ("--trace-sample-rate=101", "neither always, never, nor a percentage"),
        ("--trace-sample-rate=-1", "neither always, never, nor a percentage"),
        ("--trace-sample-rate=nan", "neither always, never, nor a percentage"),
        ("--cri-endpoint=tcp://10.0.0.1:1", "is no CRI socket; write unix:///PATH or /PATH"),
        ("--jaeger-endpoint=ftp://x", "'ftp://x' is no address; write http://HOST:14268, or HOST"),
        ("--jaeger-endpoint=http://u:p@x", "a URL must not hold a password; set JAEGER_USER"),
        ("--trace-hooks=/hooks", "external hook managers is not part of this version"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], argv: str, reason: str
) -> None:
    assert reason in refusal(capsys, *argv.split())


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRACER_API_ADDRESS", "x"),
        ("TRACER_VERBOSE", "perhaps"),
        ("TRACER_EXPORTER", "console,ocagent"),
        ("TRACER_CRI_ENDPOINT", "run/x.sock"),
        ("TRACER_HOOKS", "/hooks"),
        ("TRACER_JEAGER_ENDPOINT", "auto 1"),
        ("TRACER_JAEGER_ENDPOINT", "http://"),
        ("JAEGER_ENDPOINT", "x:y"),
        ("JAEGER_COLLECTOR_ENDPOINT", "x:0"),
        ("JAEGER_USER", "a:b"),
        ("JAEGER_AGENT_ENDPOINT", "udp://x:1"),
        ("JAGER_AGENT_ENDPOINT", "x:y"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "x"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=x"),
        ("ZPAGES_PORT", "localhost"),
        ("ZPAGES_PORT", "example.com:80"),
        ("ZPAGES_PORT", "localhost:99999"),
        ("ZPAGES_PORT", "::1:80"),
    ],
)
def test_a_variable_that_is_wrong_is_named(
    capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    assert f"{variable}: " in refusal(capsys, environ={variable: value})


def test_an_endpoint_implies_nothing_where_exporters_are_chosen() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    assert read_settings(["--trace-exporter=file"], environ).exporters == ("file",)


def test_a_line_break_in_what_was_given_stays_in_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal(capsys, "stray\nlines\x1b[2J")
    refusal(capsys, "--node-name=a\nb")
    refusal(capsys, "--trace-tag=a\nb=c")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        read_settings(["--version"], {})
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"tracer-node {__version__}\n"


def test_help_names_every_flag_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        read_settings(["--help"], {})
    text = capsys.readouterr().out
    assert raised.value.code == 0
    for word in ("--cri-endpoint", "TRACER_JEAGER_ENDPOINT", "--mount-tracefs", "TRACER_RUN_PATHS"):
        assert word in text


@pytest.mark.parametrize("text", [":8080", "127.0.0.1:80", "[::1]:80"])
def test_an_address_is_written_as_it_is_given(text: str) -> None:
    assert str(read_settings([f"--address={text}"], {}).address) == text


def test_every_setting_is_frozen_and_has_a_default() -> None:
    assert all(one.default is not NOTHING for one in fields(NodeSettings))


def test_the_address_may_be_a_socket() -> None:
    settings = read_settings(["--address", "unix:/run/tracer.sock"], {})
    assert str(settings.address) == "unix:/run/tracer.sock"


@pytest.mark.parametrize("text", ["unix:relative", "unix:", "unix:/a\nb"])
def test_a_socket_needs_its_whole_path(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["--address", text], {})
    assert "write unix:/PATH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", None),
        (" ", None),
        ("8888", Address("127.0.0.1", 8888)),
        ("localhost:8888", Address("127.0.0.1", 8888)),
        ("127.0.0.1:8888", Address("127.0.0.1", 8888)),
        (":8888", Address("", 8888)),
        ("10.0.0.7:8888", Address("10.0.0.7", 8888)),
        ("[fd00::7]:8888", Address("fd00::7", 8888)),
    ],
)
def test_the_port_of_zpages_is_an_address_and_of_this_machine_unless_it_says_otherwise(
    text: str, address: Address | None
) -> None:
    assert read_settings([], {"ZPAGES_PORT": text}).zpages_address == address


def test_naming_zpages_adds_no_exporter_and_lets_nothing_be_implied() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}
    assert read_settings(["--trace-exporter=zpages"], environ).exporters == ()
    both = ["--trace-exporter=zpages", "--trace-exporter=otlp"]
    assert read_settings(both, environ).exporters == ("otlp",)
    assert read_settings([], {"TRACER_EXPORTER": "zpages,file"}).exporters == ("file",)
