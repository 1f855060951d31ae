"""Which task was put into which cgroup, and when."""

from attrs import frozen


@frozen(kw_only=True)
class Attachment:
    """A process was put into a cgroup, by one of its tasks; `time_ns` is of the trace clock.

    `container_id` is empty where the cgroup is none of a container's. `hierarchy` is the number
    of the cgroup hierarchy, 0 being cgroup v2: with v1 a process is put into one after the other.
    """

    time_ns: int
    tid: int
    path: str
    container_id: str = ""
    hierarchy: int = 0
