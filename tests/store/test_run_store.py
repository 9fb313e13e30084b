from __future__ import annotations

from sqlalchemy import func, select
from store_contract import RunStoreContract
from store_samples import train

from jupyter_mltrain.store.schema import epochs, run_scores, run_tags
from jupyter_mltrain.store.sqlite import open_database
from jupyter_mltrain.store.store import Store


class TestRunStore(RunStoreContract):
    """With SQLite."""

    def test_removing_leaves_no_row_behind(self, store: Store) -> None:
        train(store, tags={"team": "vision"})
        store.runs.remove(["digits"])
        with open_database(store.home / "mltrain.db").read() as connection:
            for table in (epochs, run_scores, run_tags):
                assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
