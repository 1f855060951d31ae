"""What became of frames from virtual machines, in numbers that add up."""

from collections import Counter

from attrs import define, field


@define
class GuestStats:
    """Numbers of one guest, or of many.

    frames = malformed + sampled out + spans

    `malformed` is by reason. Of `spans`, `unattributed` are of guests of which it was not known
    then whose they are. `synthetic` ones stand in for spans that never came, `late` are those
    that came after that all the same.
    """

    frames: int = 0
    sampled_out: int = 0
    spans: int = 0
    unattributed: int = 0
    synthetic: int = 0
    late: int = 0
    malformed: Counter[str] = field(factory=Counter)

    def __add__(self, other: "GuestStats") -> "GuestStats":
        """Add up."""
        return GuestStats(
            frames=self.frames + other.frames,
            sampled_out=self.sampled_out + other.sampled_out,
            spans=self.spans + other.spans,
            unattributed=self.unattributed + other.unattributed,
            synthetic=self.synthetic + other.synthetic,
            late=self.late + other.late,
            malformed=self.malformed + other.malformed,
        )
