import asyncio
import threading
from collections.abc import Sequence

import pytest
from attrs import define, field

from container_tracer.adapters.procfs.together import Together


@define
class Looks:
    """Doubles what it is asked for, and remembers every look."""

    seen: list[list[int]] = field(factory=list)
    failure: Exception | None = None
    begun: threading.Event = field(factory=threading.Event)

    def look(self, questions: Sequence[int]) -> list[int]:
        self.seen.append(list(questions))
        self.begun.set()
        if self.failure:
            raise self.failure
        return [2 * question for question in questions]


async def test_those_who_ask_at_the_same_time_share_a_look_and_get_their_own_answers() -> None:
    looks = Looks()
    together = Together(looks.look)
    assert await asyncio.gather(*map(together.ask, [3, 1, 3])) == [6, 2, 6]
    assert looks.seen == [[3, 1, 3]]


async def test_no_answer_is_older_than_its_question() -> None:
    looks = Looks()
    together = Together(looks.look)
    asked = asyncio.create_task(together.ask(1), name="ask")
    await asyncio.to_thread(looks.begun.wait)
    assert await together.ask(2) == 4
    assert await asked == 2
    assert looks.seen == [[1], [2]]


async def test_a_failure_is_everybodys_and_the_next_look_is_made_all_the_same() -> None:
    looks = Looks(failure=OSError("away"))
    together = Together(looks.look)
    answers = await asyncio.gather(*map(together.ask, [1, 2]), return_exceptions=True)
    assert [str(one) for one in answers] == ["away", "away"]
    looks.failure = None
    assert await together.ask(3) == 6


async def test_who_does_not_wait_any_more_keeps_nobody_from_an_answer() -> None:
    together = Together(Looks().look)
    first, second = [asyncio.create_task(together.ask(one), name="ask") for one in (1, 2)]
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 4
    with pytest.raises(asyncio.CancelledError):
        await first
