import pytest

from container_tracer.domain.model.errnos import errno_name


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (-1, "EPERM"),
        (-2, "ENOENT"),
        (-11, "EAGAIN"),
        (-35, "EDEADLK"),
        (-95, "EOPNOTSUPP"),
        (-512, "ERESTARTSYS"),
        (-516, "ERESTART_RESTARTBLOCK"),
        (-517, "EPROBE_DEFER"),
        (-529, "EIOCBQUEUED"),
        (-530, "ERECALLCONFLICT"),
    ],
)
def test_errors_have_the_name_the_kernel_gives_them(result: int, name: str) -> None:
    assert errno_name(result) == name


def test_an_error_without_a_name_says_its_number() -> None:
    assert errno_name(-4095) == "errno 4095"


@pytest.mark.parametrize("result", [0, 1, 2**63 - 1, -4096, -(2**63)])
def test_what_is_no_error_has_no_name(result: int) -> None:
    assert errno_name(result) == ""
