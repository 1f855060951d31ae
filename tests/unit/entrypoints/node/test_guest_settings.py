import pytest

from container_tracer.entrypoints.node.settings import read_settings


def test_guests_are_not_heard_unless_that_is_asked_for() -> None:
    read = read_settings([], {})
    assert not read.span_forwarder
    assert (read.span_forwarder_vsock, read.span_forwarder_port) == ("auto", 10240)
    assert (read.span_forwarder_frame_kib, read.span_forwarder_dumps) == (16384, False)
    assert read.span_forwarder_service_name == "kata-agent"


@pytest.mark.parametrize("by_flag", [True, False])
def test_all_of_it_can_be_said_by_flag_and_by_variable(by_flag: bool) -> None:
    said = {"": "yes", "vsock": "off", "port": "4294967294", "frame-kib": "64"}
    said |= {"service-name": "agents", "dumps": "on"}
    names = {f"span-forwarder-{name}".rstrip("-"): value for name, value in said.items()}
    argv = [f"--{name}={value}" for name, value in names.items()]
    environ = {f"TRACER_{name.upper().replace('-', '_')}": value for name, value in names.items()}
    read = read_settings(argv, {}) if by_flag else read_settings([], environ)
    assert (read.span_forwarder, read.span_forwarder_dumps) == (True, True)
    assert (read.span_forwarder_vsock, read.span_forwarder_port) == ("off", 2**32 - 2)
    assert (read.span_forwarder_frame_kib, read.span_forwarder_service_name) == (64, "agents")


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--span-forwarder=maybe", "neither true nor false"),
        ("--span-forwarder-vsock=any", "none of: auto, on, off"),
        ("--span-forwarder-port=0", "is not a number from 1 to 4294967294"),
        ("--span-forwarder-port=", "is not a number"),
        ("--span-forwarder-frame-kib=0", "is not a number from 1 to 262144"),
        ("--span-forwarder-service-name= ", "a service has to have a name"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    flag: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings([flag], {})
    said = capsys.readouterr().err
    assert said.startswith(f"tracer-node: {flag.partition('=')[0]}: ")
    assert reason in said
    assert said.count("\n") == 1
