"""Tags are what nobody but the operator knows, on both roles, in keys and values of any backend."""

import pytest

from container_tracer.entrypoints.node import settings as node
from container_tracer.entrypoints.svc import settings as svc

ROLES = (node, svc)
VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"


def refused(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> str:
    """Return the line of both roles, which is the same but for the program's name."""
    lines = set()
    for role in ROLES:
        with pytest.raises(SystemExit) as raised:
            role.read_settings(argv, environ)
        assert raised.value.code == 2
        lines.add(capsys.readouterr().err.partition(": ")[2])
    (line,) = lines
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deployment.environment.name", "prod"),
        ("app.kubernetes.io/name", "shop"),
        ("_x-1", "a=b, c"),
        ("team", "Köln, 日本"),
        ("service.namespace", "shop"),
        ("empty", ""),
        ("k" * 255, "v" * 4096),
        ("k8sish", "and not reserved"),
    ],
)
def test_a_key_is_a_word_and_a_value_a_line(key: str, value: str) -> None:
    for role in ROLES:
        read = role.read_settings(["--trace-tag", f"{key}={value}", "--trace-tag=z=1"], {})
        assert read.tags == {key: value, "z": "1"}


@pytest.mark.parametrize(
    "key",
    ["1a", "a b", "a:b", ".a", "schlüssel", "a\tb", "a\u202eb", "k" * 256, "a,b", "a%20b", '"a"'],
)
def test_what_no_backend_would_find_again_is_no_key(
    capsys: pytest.CaptureFixture[str], key: str
) -> None:
    assert "is no key" in refused(capsys, f"--trace-tag={key}=v")


@pytest.mark.parametrize("value", ["a\nb", "\x1b[2J", "v" * 4097, "a\u2028b", "\udcff"])
def test_what_cannot_be_shown_in_a_line_is_no_value(
    capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert "the value of 'key' cannot be" in refused(capsys, f"--trace-tag=key={value}")


@pytest.mark.parametrize(
    "key",
    [
        *("service.name", "service.version", "service.instance.id", "host.name"),
        *("k8s.pod.name", "K8S.Node.Name", "container.id", "container_tracer.traced"),
        *("process.pid", "thread.id", "telemetry.sdk.name", "syscall.result", "otel.status_code"),
        *("operatingSystem", "operatingsystem", "provider", "nodeName", "NODENAME"),
        *("error", "node", "pod", "traceJob", "traceSession"),
    ],
)
def test_what_is_set_from_what_is_traced_is_reserved(
    capsys: pytest.CaptureFixture[str], key: str
) -> None:
    assert f"--trace-tag: {key!r} is reserved" in refused(capsys, f"--trace-tag={key}=x")
    if key != "service.name":
        line = refused(capsys, **{VARIABLE: f"a=b,{key}=x"})
        assert f"{VARIABLE}: {key!r} is reserved" in line


def test_a_key_given_twice_is_an_error_also_with_the_same_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "'a' is given twice" in refused(capsys, "--trace-tag=a=1", "--trace-tag=a=1")
    assert f"{VARIABLE}: 'a' is given twice" in refused(capsys, **{VARIABLE: "a=1,%61=2"})


def test_there_are_not_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    many = ",".join(f"k{number}=v" for number in range(129))
    assert f"{VARIABLE}: there are 129 tags; at most 128" in refused(capsys, **{VARIABLE: many})
    assert len(node.read_settings([], {VARIABLE: many.rpartition(",")[0]}).tags) == 128


def test_the_variable_is_percent_encoded_as_the_specification_says() -> None:
    environ = {VARIABLE: " a = b%2Cc%3Dd%25 ,x=y=z,, k%C3%A4se%2Ftype=%F0%9F%A7%80, "}
    with pytest.raises(SystemExit):
        node.read_settings([], environ)
    environ = {VARIABLE: " a = b%2Cc%3Dd%25 ,x=y=z,, cheese%2Ftype=%F0%9F%A7%80, "}
    for role in ROLES:
        read = role.read_settings([], environ)
        assert read.tags == {"a": "b,c=d%", "x": "y=z", "cheese/type": "🧀"}


@pytest.mark.parametrize("text", ["a", "a=1,b", "a=%zz", "a=100%", "a=%ff", "a%3Db=c", "=v"])
def test_what_cannot_be_decoded_is_an_error_that_names_the_variable(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert refused(capsys, **{VARIABLE: text}).startswith(f"{VARIABLE}: ")


def test_the_flag_beats_the_variable_which_is_not_even_looked_at_then() -> None:
    environ = {VARIABLE: "a=1,k8s.pod.name=nonsense"}
    argv = ["--trace-tag=b=2", "--trace-service-name=shop"]
    assert node.read_settings(argv, environ).tags == {"b": "2"}


@pytest.mark.parametrize("role", ROLES)
def test_the_name_of_the_service_is_taken_from_the_flag_its_variable_or_the_attributes(
    role: object,
) -> None:
    def name(argv: list[str], **environ: str) -> tuple[str, dict[str, str]]:
        read = role.read_settings(argv, environ)  # type: ignore[attr-defined]
        return read.service_name, read.tags

    attributes = {VARIABLE: "service.name=of%20all,a=b"}
    assert name([], **attributes) == ("of all", {"a": "b"})
    assert name([], **attributes, OTEL_SERVICE_NAME="variable") == ("variable", {"a": "b"})
    flag = ["--trace-service-name=flag"]
    assert name(flag, **attributes, OTEL_SERVICE_NAME="variable") == ("flag", {"a": "b"})
    assert name(["--trace-tag=c=d"], **attributes) == ("of all", {"c": "d"})
    assert name([]) == ("container-tracer", {})
    assert name([], **{VARIABLE: "service.name="}) == ("container-tracer", {})
