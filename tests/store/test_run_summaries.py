from __future__ import annotations

from summary_contract import RunSummaryContract


class TestRunSummaries(RunSummaryContract):
    """With SQLite."""
