"""Collectors that come and go as a test says."""

from attrs import define, field

from ..domain.model.collector_services import CollectorServices
from .changing import Changing


@define(eq=False)
class FakeCollectorDirectory(Changing[CollectorServices]):
    """Has no collector before it is told of one."""

    known: CollectorServices = field(factory=CollectorServices)
