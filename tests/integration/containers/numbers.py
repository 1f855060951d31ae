"""What to have containers call out, and whether a session saw all of it and nothing else."""

from collections import Counter
from collections.abc import Iterable

from tests.containerd.pods import RealContainer

from .sessions import Seen

EACH = 2
WHOLE = ["execve", *["lseek"] * EACH, "exit_group"]


def command(first: int) -> tuple[str, ...]:
    """Return the command that calls out `EACH` numbers from `first` on."""
    return "/bin/numbers", str(first), str(EACH)


def call_out(container: RealContainer, firsts: Iterable[int]) -> None:
    """Have a container call out numbers, by commands run right after each other."""
    for first in firsts:
        assert container.run(*command(first)).exit_code == 0


def check_whole(seen: Seen, firsts: Iterable[int]) -> None:
    """See that each command is there from execve to exit_group, and that there is no other."""
    expected = Counter(firsts)
    lives = list(seen.lives())
    found = Counter(min(life.numbers) for life in lives)
    assert found == expected, f"missing: {expected - found}, not expected: {found - expected}"
    parts = [(life.calls, life.numbers) for life in lives if life.calls != WHOLE]
    assert not parts, f"{len(parts)} of {len(lives)} are not whole, as {parts[:3]}"
    assert all(
        life.numbers == list(range(life.numbers[0], life.numbers[0] + EACH)) for life in lives
    )
