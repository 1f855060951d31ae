"""What the tests of this folder need, and that one worker runs them all: it has one containerd."""

import pytest

NEEDS = [pytest.mark.kernel, pytest.mark.containerd, pytest.mark.xdist_group("containerd")]
