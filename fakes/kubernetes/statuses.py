"""What the Kubernetes API says instead of what it was asked for."""

from typing import Any


class Refused(Exception):
    """A request that is answered with a Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    @property
    def status(self) -> dict[str, Any]:
        """Return it as the object that is sent."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }


def expired(asked: int, oldest: int) -> Refused:
    """Say that what was asked for is no longer remembered."""
    return Refused(410, "Expired", f"too old resource version: {asked} ({oldest})")
