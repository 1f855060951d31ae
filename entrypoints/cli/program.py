"""The names this program goes by, and what each means where no server is named."""

from attrs import frozen


@frozen(kw_only=True)
class Program:
    """What is typed, and whether a cluster is meant by it rather than this machine."""

    name: str
    typed: str
    cluster: bool = False

    @property
    def description(self) -> str:
        """Say what it is for, and what it does without a server."""
        purpose = "See what the kernel does for exactly the containers you name. "
        if self.cluster:
            return f"{purpose}It asks the tracer of the cluster that kubectl speaks to."
        return (
            f"{purpose}Without --server or --cluster, commands start a private tracer for this"
            " machine, and end it."
        )


CLIENT = Program(name="container-tracer", typed="container-tracer")
PLUGIN = Program(name="kubectl-ctrace", typed="kubectl ctrace", cluster=True)
"""kubectl finds it by its name, and passes on what stands behind `kubectl ctrace`."""
