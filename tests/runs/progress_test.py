"""How far a run is, in words."""

import pytest

from tfae.runs import progress


@pytest.mark.parametrize(
    'seconds, want',
    [
        (0, '00:00:00'),
        (59.6, '00:01:00'),
        (86399, '23:59:59'),
        (86400, '1 d 00:00:00'),
        (20 * 86400 + 3661, '20 d 01:01:01'),
        (1e18, '11,574,074,074,074 d 01:46:40'),
    ],
)
def test_time_left_counts_days(seconds, want):
    assert progress._duration(seconds) == want
