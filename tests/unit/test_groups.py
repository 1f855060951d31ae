"""Tests that share what is costly to set up run in one process, where there are several."""

import pytest


@pytest.mark.xdist_group("together")
def test_groups_are_known_to_those_who_share_tests_out(request: pytest.FixtureRequest) -> None:
    shared_out = request.config.getoption("loadgroup", default=False)
    assert request.node.nodeid.endswith("@together") == shared_out
