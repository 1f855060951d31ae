"""The OpenTelemetry SDK, fed with the kernel's text: what a Python program would do at first."""

import hashlib
import subprocess
from pathlib import Path

from attrs import frozen

from bench.installing import permitted
from bench.instances import lost, recording
from bench.measured import Round
from bench.processes import NotRun, ended, line_of
from bench.workload import Shape, running

from .peer import Bench

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements/bench.txt"
ENVIRONMENT = ROOT / "build/bench-environment"
READER = Path(__file__).parent / "otel_sdk_reader.py"
PACKAGES: tuple[str, ...] = ()


@frozen(kw_only=True)
class OtelSdkTool:
    """Text, a regular expression, a span of the SDK, and OTLP over HTTP."""

    bench: Bench
    name: str = "OpenTelemetry SDK, from text"
    heavy: bool = True

    def measure(self, shape: Shape, calls: int, rate: int = 0) -> Round:
        """Run one round of so many calls, at full speed or so many a second."""
        with running(self.bench.program, shape) as workload, recording(workload.pid) as instance:
            before = self.bench.sink.received()
            with subprocess.Popen(
                [ENVIRONMENT / "bin/python", READER, instance, self.bench.sink.traces_url],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            ) as reader, ended(reader):  # fmt: skip
                line_of(reader.stdout)
                spent = workload.calls(calls, rate)
                if reader.stdin is not None:
                    reader.stdin.close()
                _, cpu_ns = map(int, line_of(reader.stdout).split())
            after = self.bench.sink.received()
            return Round(
                calls=calls,
                spent=spent,
                captured=after.all_spans - before.all_spans,
                lost=lost(instance),
                tool_cpu_ns=cpu_ns,
            )


def tools(bench: Bench) -> list[OtelSdkTool]:
    """Make the SDK's own environment, which is not the product's, if it is not there yet."""
    mark, wanted = ENVIRONMENT / "made-of", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        permitted()
        print("installing the OpenTelemetry SDK and its exporter into build/bench-environment")
        done = subprocess.run(
            [ROOT / "scripts/environment", "python3", ENVIRONMENT, REQUIREMENTS],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise NotRun(f"its packages cannot be installed: {done.stderr.strip()[-200:]}")
        mark.write_text(wanted)
    return [OtelSdkTool(bench=bench)]
