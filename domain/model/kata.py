"""Signs by which a runtime tells that it keeps containers in virtual machines of Kata."""

import re
from collections.abc import Mapping

# containerd derives a shim's binary from this name: containerd-shim-kata-v2 and its like.
_TYPE = re.compile(r"io\.containerd\.kata(-[^.]+)?\.v\d+")


def is_kata_handler(name: str) -> bool:
    """Tell whether a runtime handler, a name that administrators choose, is one of Kata's."""
    return name == "kata" or name.startswith("kata-")


def is_kata_type(name: str) -> bool:
    """Tell whether a runtime type of containerd is that of Kata's shims."""
    return _TYPE.fullmatch(name) is not None


def has_kata_notes(annotations: Mapping[str, str]) -> bool:
    """Tell whether there are annotations that only Kata reads; anybody may write them."""
    return any(key.startswith("io.katacontainers.") for key in annotations)
