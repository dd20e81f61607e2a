"""A load that is killed at any moment and run again leaves what an undisturbed one leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import kills


@pytest.mark.timeout(280)
def test_kills_at_any_moment_are_never_seen_and_leave_nothing_wrong(tmp_path: Path) -> None:
    report = kills.run(tmp_path, 50)
    assert report.wrong == []
    assert report.kills >= 50
    assert {"stage", "merge", "prepare", "publish"} <= {*report.phases}
    assert report.old > 0
    assert report.new > 0
