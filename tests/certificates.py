"""Certificates for tests: an authority of their own, and what it signs, as files."""

from datetime import datetime
from pathlib import Path

import trustme
from attrs import define, field

from container_tracer.entrypoints.certificates import KeyPair


@define
class Authority:
    """Signs certificates; every file is in `folder`."""

    folder: Path
    ca: trustme.CA = field(factory=trustme.CA)
    file: Path = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.file)

    def issue(
        self, *names: str, file: str = "", not_after: datetime | None = None, common_name: str = ""
    ) -> KeyPair:
        """Write a certificate of these names and its key; `file` is what they are called."""
        issued = self.ca.issue_cert(*names, common_name=common_name or None, not_after=not_after)
        file = file or names[0]
        pair = KeyPair(certificate=self.folder / f"{file}.pem", key=self.folder / f"{file}.key")
        chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
        pair.certificate.write_bytes(chain)
        pair.key.write_bytes(issued.private_key_pem.bytes())
        return pair
