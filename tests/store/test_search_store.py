from __future__ import annotations

from search_contract import SearchStoreContract
from sqlalchemy import func, select
from store_samples import begin_search, begin_trial, end_trial

from jupyter_mltrain.store.schema import epochs, run_scores, run_tags, runs
from jupyter_mltrain.store.sqlite import open_database
from jupyter_mltrain.store.store import Store


class TestSearchStore(SearchStoreContract):
    """With SQLite."""

    def test_removing_leaves_no_row_behind(self, store: Store) -> None:
        search = begin_search(store)
        end_trial(store, begin_trial(store, search, tags={"team": "vision"}))
        store.searches.finish_search(search.id, status="completed")
        store.searches.remove(["digits"])
        with open_database(store.home / "mltrain.db").read() as connection:
            for table in (runs, epochs, run_scores, run_tags):
                assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
