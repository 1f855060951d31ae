"""Access by bearer tokens of a file."""

from attrs import define

from ...domain.model.access import AccessQuestion, Identity, Rights, Unauthenticated
from ...domain.model.token_entries import TokenEntry, find_token
from ...ports.clock import Clock
from .file import TokenFile


@define(kw_only=True)
class TokenFileAccessControl:
    """Knows those whose token is in a file, by the name it has there."""

    file: TokenFile
    clock: Clock

    async def identify(self, token: str) -> Identity:
        """Tell whose token it is; raise `Unauthenticated`."""
        entry = find_token(self.file.entries(), token)
        entry.check_time(self.clock.wall_ns())
        return entry.identity

    async def rights(self, identity: Identity, question: AccessQuestion) -> Rights:
        """Tell what the file allows; raise `Unauthenticated` if it has that name no more."""
        return self._entry(identity).rights(question)

    async def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def _entry(self, identity: Identity) -> TokenEntry:
        for entry in self.file.entries():
            if entry.name == identity.name:
                entry.check_time(self.clock.wall_ns())
                return entry
        raise Unauthenticated(f"There is no token of {identity.name!r} any more.")
