"""What tools say of themselves is read as they mean it."""

from pathlib import Path

from bench.peers import bpftrace, perf, strace, trace_cmd
from bench.peers.command import Seen

STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 99.00    0.000945           1      1000        10 openat
  1.00    0.000001           0         8           mmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.000945           0      1008        10 total
"""
PERF_TABLE = """
 Summary of events:

 workload (8501), 2058 events, 99.7%

   syscall            calls  errors  total       min       avg       max       stddev
                                     (msec)    (msec)    (msec)    (msec)        (%)
   --------------- --------  ------ -------- --------- --------- ---------     ------
   getppid             1000      0    10.989     0.010     0.011     0.092      1.03%
   pread64                2      1     0.021     0.010     0.010     0.010      0.05%

 workload (8502), 20 events, 0.3%

   getppid               10      0    10.989     0.010     0.011     0.092      1.03%
"""
TRACE_CMD = """
CPU: 0
entries: 30
overrun: 7
commit overrun: 0
dropped events: 2
read events: 100

CPU: 1
overrun: 0
dropped events: 0
read events: 21
"""


def test_strace_counts_all_calls_with_and_without_errors() -> None:
    assert strace.total(STRACE) == 1008
    assert strace.total(STRACE.replace("      10 total", "         total")) == 1008
    assert strace.total("") == 0


def test_a_call_that_strace_writes_in_two_lines_is_one(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text(
        "12 getppid( <unfinished ...>\n13 getppid() = 1\n12 <... getppid resumed>) = 1\n"
    )
    assert strace.written(tmp_path, "") == Seen(2)


def test_perf_sums_up_the_tables_of_all_threads() -> None:
    assert perf.summed(PERF_TABLE) == 1012


def test_perf_says_what_it_lost_on_the_terminal_and_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "trace").write_text(" 0.1 getppid() = 1\nLOST 30 events!\n")
    assert perf.written(tmp_path, "LOST 12 events!\n").lost == 42


def test_bpftrace_says_what_it_lost() -> None:
    assert bpftrace.lost("> 1 2\nLost 5 events\nLost 6 events\n") == 11


def test_trace_cmd_counts_by_the_statistics_of_the_kernel() -> None:
    assert trace_cmd.seen(TRACE_CMD) == Seen(calls=75, lost=9)
