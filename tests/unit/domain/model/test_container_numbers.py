"""Numbers of containers: used again, and spans still read the container they are of."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from container_tracer.domain.model.container_numbers import MANY_FREE, ContainerNumbers
from container_tracer.domain.model.pod import Container


def container(number: int) -> Container:
    return Container(name="app", pod=f"job-{number}")


def test_a_container_keeps_its_number_until_it_is_given_up() -> None:
    numbers = ContainerNumbers()
    assert [numbers.number_of(container(one)) for one in (0, 1, 0, 1)] == [0, 1, 0, 1]
    numbers.retire(0)
    assert numbers.number_of(container(0)) == 0
    assert numbers.release() == []
    numbers.retire(0)
    assert numbers.release() == [0]
    assert numbers.release() == []
    assert numbers.number_of(container(0)) == 2


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=400), st.integers(0, 3))
def test_spans_read_the_container_they_are_of(steps: list[tuple[int, bool]], lasting: int) -> None:
    """Whatever begins and ends, what a span was given goes on to say whose it is."""
    numbers, alive, begun = ContainerNumbers(), dict[int, Container](), 0
    spans: list[tuple[Sequence[Container], int, Container]] = []
    for _ in range(MANY_FREE * 2):
        numbers.retire(numbers.number_of(container(begun)))
        numbers.release()
        begun += 1
    for slot, ends in steps:
        if ends and slot >= lasting and slot in alive:
            numbers.retire(numbers.number_of(alive.pop(slot)))
            numbers.release()
        elif slot not in alive:
            alive[slot] = container(begun)
            begun += 1
        known = {numbers.number_of(one): one for one in alive.values()}
        spans += [(numbers.table, number, one) for number, one in known.items()]
    assert all(table[number] == one for table, number, one in spans)


def test_the_table_stays_small_while_ten_thousand_containers_come_and_go() -> None:
    numbers, sizes = ContainerNumbers(), set()
    for one in range(10_000):
        numbers.retire(numbers.number_of(container(one)))
        numbers.release()
        sizes.add(len(numbers.table))
    assert max(sizes) <= MANY_FREE


def test_a_number_that_was_given_up_is_kept_if_somebody_enters_its_container_by_id() -> None:
    numbers = ContainerNumbers()
    number = numbers.number_of(Container(name="app", pod="job", container_id="c0ffee"))
    numbers.retire(number)
    assert numbers.number_of_id("c0ffee") == number
    assert numbers.release() == []
    assert numbers.in_use() == {number}
