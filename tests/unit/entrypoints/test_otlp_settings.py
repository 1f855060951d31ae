"""`OTEL_EXPORTER_OTLP_*` mean what the OpenTelemetry specification says."""

import subprocess
from pathlib import Path

import pytest

from container_tracer.adapters.otlp.settings import OtlpSettings
from container_tracer.entrypoints.node.settings import read_settings
from container_tracer.entrypoints.otlp_settings import names_otlp_collector, otlp_settings

ALL, TRACES = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"


def test_without_variables_a_collector_on_this_machine_is_meant_over_http() -> None:
    assert otlp_settings({}) == OtlpSettings()
    assert otlp_settings({}).endpoint == "http://localhost:4318/v1/traces"


def test_grpc_has_another_port() -> None:
    read = otlp_settings({f"{ALL}PROTOCOL": "grpc"})
    assert (read.endpoint, read.encrypted) == ("http://localhost:4317/", False)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp", "https://c/otlp/v1/traces"),
        ("https://c/otlp/", "https://c/otlp/v1/traces"),
        ("http://c?key=1", "http://c/v1/traces?key=1"),
    ],
)
def test_the_endpoint_for_all_signals_gets_the_path_of_traces(given: str, meant: str) -> None:
    assert otlp_settings({f"{ALL}ENDPOINT": given}).endpoint == meant


@pytest.mark.parametrize(
    ("given", "meant"),
    [("http://c:4318", "http://c:4318/"), ("https://c/spans/", "https://c/spans/")],
)
def test_the_endpoint_for_traces_is_used_as_it_is(given: str, meant: str) -> None:
    environ = {f"{TRACES}ENDPOINT": given, f"{ALL}ENDPOINT": "http://other"}
    assert otlp_settings(environ).endpoint == meant


@pytest.mark.parametrize(
    ("endpoint", "insecure", "encrypted"),
    [
        ("c:4317", "", True),
        ("c:4317", "false", True),
        ("c:4317", "TRUE", False),
        ("http://c:4317", "false", False),
        ("https://c:4317", "true", True),
        ("[::1]:4317", "true", False),
    ],
)
def test_with_grpc_the_scheme_decides_about_encryption_else_insecure(
    endpoint: str, insecure: str, *, encrypted: bool
) -> None:
    environ = {
        f"{ALL}PROTOCOL": "grpc",
        f"{ALL}ENDPOINT": endpoint,
        f"{ALL}INSECURE": insecure,
    }
    assert otlp_settings(environ).encrypted == encrypted


def test_what_is_said_for_traces_wins_and_an_empty_variable_is_none() -> None:
    environ = {
        f"{ALL}PROTOCOL": "grpc",
        f"{TRACES}PROTOCOL": "http/protobuf",
        f"{ALL}HEADERS": "a=1",
        f"{TRACES}HEADERS": "b=2",
        f"{ALL}TIMEOUT": "5",
        f"{TRACES}TIMEOUT": "2500",
        f"{ALL}COMPRESSION": "gzip",
        f"{TRACES}COMPRESSION": " ",
    }
    assert otlp_settings(environ) == OtlpSettings(
        headers={"b": "2"}, timeout_seconds=2.5, gzip=True
    )


def test_no_limit_is_as_long_as_may_be() -> None:
    assert otlp_settings({f"{ALL}TIMEOUT": "0"}).timeout_seconds == 600


def test_headers_are_percent_decoded_and_trimmed() -> None:
    environ = {f"{ALL}HEADERS": "Authorization=Basic%20dTpw%3D%3D, x-Scope = a%2Cb ,c=d=e,f="}
    assert otlp_settings(environ).headers == {
        "authorization": "Basic dTpw==",
        "x-scope": "a,b",
        "c": "d=e",
        "f": "",
    }


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("PROTOCOL", "http/json", "http/json is not spoken"),
        ("PROTOCOL", "thrift", "'thrift' is no protocol"),
        ("COMPRESSION", "zstd", "'zstd' is no compression"),
        ("TIMEOUT", "-1", "not a number from 0"),
        ("TIMEOUT", "10s", "not a number from 0"),
        ("TIMEOUT", "600001", "not a number from 0 to 600000"),
        ("ENDPOINT", "collector:4318", "no URL of the form http://HOST:PORT"),
        ("ENDPOINT", "ftp://c", "no URL of the form http://HOST:PORT"),
        ("ENDPOINT", "http://", "no URL of the form http://HOST:PORT"),
        ("ENDPOINT", "http://c:99999", "no URL"),
        ("ENDPOINT", "http://[::1", "no URL"),
        ("ENDPOINT", "http://a b", "characters that no endpoint has"),
        ("ENDPOINT", "http://c/#x", "characters that no endpoint has"),
        ("HEADERS", "a=1,secret", "header 2 is no key=value"),
        ("HEADERS", "=secret", "header 1 is no key=value"),
        ("HEADERS", "a=secret%0d%0ab: c", "the value of 'a' has characters"),
        ("HEADERS", "a=secr\xe9t", "the value of 'a' has characters"),
        ("HEADERS", "Content-Type=secret", "'content-type' is set by the exporter"),
        ("CERTIFICATE", "/no/such/file", "'/no/such/file' cannot be read: no such file"),
        ("CERTIFICATE", "/proc/self/status", "no certificate in PEM form"),
        ("CLIENT_KEY", "/proc/self/status", "one is of no use without the other"),
        ("INSECURE", "perhaps", "neither true nor false"),
    ],
)
def test_what_cannot_be_is_said_by_the_variables_name_without_secrets(
    what: str, value: str, said: str
) -> None:
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_") as raised:
        otlp_settings({f"{ALL}{what}": value})
    assert said in str(raised.value)
    assert f"{ALL}{what}" in str(raised.value)
    assert "secr" not in str(raised.value)


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("ENDPOINT", "http://c:4317/v1/traces", "a path, which gRPC has no use for"),
        ("HEADERS", "grpc-timeout=1", "cannot be sent with gRPC"),
        ("HEADERS", "a-bin=1", "cannot be sent with gRPC"),
    ],
)
def test_what_grpc_cannot_do_is_said(what: str, value: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        otlp_settings({f"{ALL}PROTOCOL": "grpc", f"{ALL}{what}": value})


def test_a_password_in_an_endpoint_is_never_shown() -> None:
    environ = {f"{ALL}ENDPOINT": "http://me:secret@c:4318/?token=secret"}
    assert otlp_settings(environ).address == "http://c:4318/v1/traces"
    for wrong in ("ftp://me:secret@c", "http://me:secret@c/#"):
        with pytest.raises(ValueError, match="ENDPOINT") as raised:
            otlp_settings({f"{ALL}ENDPOINT": f"{wrong}x"})
        assert "secret" not in str(raised.value)


def test_headers_are_not_in_what_is_logged_of_settings() -> None:
    assert "secret" not in repr(otlp_settings({f"{ALL}HEADERS": "a=secret"}))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a key, and a certificate of it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    names = ["-subj", "/CN=localhost", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *map(str, names)], check=True, capture_output=True)
    return key, certificate


def test_certificates_are_looked_at_when_the_program_starts(pair: tuple[Path, Path]) -> None:
    key, certificate = pair
    environ = {
        f"{ALL}CERTIFICATE": str(certificate),
        f"{ALL}CLIENT_KEY": str(key),
        f"{ALL}CLIENT_CERTIFICATE": str(certificate),
    }
    read = otlp_settings(environ)
    files = (read.certificate, read.client_key, read.client_certificate)
    assert files == (certificate, key, certificate)
    with pytest.raises(ValueError, match="do not fit together"):
        otlp_settings({**environ, f"{ALL}CLIENT_KEY": str(certificate)})


def test_who_names_a_collector_means_the_exporter() -> None:
    for name in (f"{ALL}ENDPOINT", f"{TRACES}ENDPOINT"):
        assert names_otlp_collector({name: "http://c"})
        assert read_settings([], {name: "http://c"}).exporters == ("otlp",)
        chosen = ["--trace-exporter=console"]
        assert read_settings(chosen, {name: "http://c"}).exporters == ("console",)
    for name in (f"{ALL}ENDPOINT", f"{ALL}TIMEOUT", f"{ALL}METRICS_ENDPOINT"):
        assert read_settings([], {name: " " if name == f"{ALL}ENDPOINT" else "7"}).exporters == (
            "console",
        )


def test_what_is_wrong_is_one_line_and_nothing_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_settings(["--trace-exporter=otlp"], {f"{ALL}PROTOCOL": "http/json"})
    said = capsys.readouterr().err
    assert said.startswith("tracer-node: OTEL_EXPORTER_OTLP_PROTOCOL: http/json is not spoken")
    assert said.count("\n") == 1
