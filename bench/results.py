"""What a run of the benchmark found, kept as JSON, with the machine but without its name."""

import json
import os
import platform
import re
import time
from pathlib import Path
from typing import Any

from attrs import asdict, define, field

from .measured import Figure, Spread, ToolFigures

FOLDER = Path(__file__).parent / "results"


@define
class Results:
    """All that a run measured, and for what it could not measure, why."""

    machine: dict[str, str]
    mode: str
    measured_at: str
    tools: list[ToolFigures] = field(factory=list)
    figures: list[Figure] = field(factory=list)
    missing: dict[str, str] = field(factory=dict)

    def of(self, workload: str, tool: str) -> ToolFigures | None:
        """Return what was measured of a tool at a workload, if anything was."""
        return next((x for x in self.tools if (x.workload, x.tool) == (workload, tool)), None)

    def workloads(self) -> list[str]:
        """Return the workloads in the order they were measured in."""
        return list(dict.fromkeys(each.workload for each in self.tools))

    def write(self, folder: Path = FOLDER) -> Path:
        """Keep them in a file."""
        folder.mkdir(exist_ok=True)
        day = self.measured_at.replace(":", "").replace("-", "")
        path = folder / f"{day}-{self.machine['cpus']}cpu-linux-{self.machine['kernel']}.json"
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")
        return path


def begun(mode: str) -> Results:
    """Describe the machine, without names of hosts or paths."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    release = re.match(r"\d+\.\d+", platform.release())
    return Results(
        machine={
            "processor": processor[1] if processor else platform.machine(),
            "cpus": str(os.cpu_count()),
            "kernel": release[0] if release else "",
            "python": platform.python_version(),
        },
        mode=mode,
        measured_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    )


def read(path: Path) -> Results:
    """Read what an earlier run kept."""
    kept = json.loads(path.read_text())
    kept["tools"] = [_tool(one) for one in kept["tools"]]
    kept["figures"] = [
        Figure(**{**one, "value": Spread(**one["value"])}) for one in kept["figures"]
    ]
    return Results(**kept)


def _tool(kept: dict[str, Any]) -> ToolFigures:
    spreads = ("wall_ratio", "cpu_ratio", "captured_share", "tool_ns")
    return ToolFigures(**{**kept, **{name: Spread(**kept[name]) for name in spreads if kept[name]}})
