"""Questions asked at the same time are answered by one look."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from attrs import define, field

Question = TypeVar("Question")
Answer = TypeVar("Answer")


@define(eq=False)
class Together(Generic[Question, Answer]):
    """Answers questions by `look`, a blocking function that takes many at once, in a thread.

    A look begins after the questions it answers were asked: no answer is older than its question.
    """

    _look: Callable[[Sequence[Question]], Sequence[Answer]]
    _waiting: list[tuple[Question, asyncio.Future[Answer]]] = field(factory=list)

    async def ask(self, question: Question) -> Answer:
        """Answer, or raise what the look raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        if not self._waiting:
            # Whoever else is ready to ask now does so before this is called.
            loop.call_soon(self._begin, loop)
        self._waiting.append((question, answer))
        return await answer

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._waiting = self._waiting, []
        look = loop.run_in_executor(None, self._look, [question for question, _ in asked])
        look.add_done_callback(partial(_hand_out, [answer for _, answer in asked]))


def _hand_out(
    waiting: Sequence[asyncio.Future[Answer]], look: asyncio.Future[Sequence[Answer]]
) -> None:
    error = None if look.cancelled() else look.exception()
    for number, answer in enumerate(waiting):
        if answer.done():  # nobody waits for it any more
            continue
        if look.cancelled():
            answer.cancel()
        elif error:
            answer.set_exception(error)
        else:
            answer.set_result(look.result()[number])
