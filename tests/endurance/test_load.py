import statistics
from itertools import pairwise

import pytest

from tests.endurance.load import run_quick
from tests.integration.studio import serving

pytestmark = pytest.mark.integration


def test_everybody_who_comes_at_once_is_served_and_memory_does_not_grow(tmp_path):
    with serving(tmp_path, "--public") as studio:
        figures = run_quick(studio, num_clients=12, num_rounds=14)
    assert figures["refused"] == {}
    assert figures["states"] == {"done": 168}
    assert figures["longest_queue"] > 1
    # The first rounds load what is loaded when needed. A page's layout kept for every call, as it
    # once was, would be 6 MB a round in every one; the allocator takes a step now and then.
    settled = figures["megabytes"][7:]
    growth = [after - before for before, after in pairwise(settled)]
    assert statistics.median(growth) < 5, figures["megabytes"]
