"""What every store promises of many runs at once; a test module gives the fixture `store`."""

from __future__ import annotations

from datetime import UTC, datetime

from store_samples import begin, begin_search, begin_trial, end_trial, some_epochs, train

from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.domain.run_summary import RunSummary
from jupyter_mltrain.store.store import Store


class RunSummaryContract:
    def test_a_summary_is_the_run_without_what_is_long(self, store: Store) -> None:
        runs = [train(store, tags={"stage": "draft", "odd": ""}, note="first"), begin(store, "other")]
        search = begin_search(store)
        trial = end_trial(store, begin_trial(store, search))
        found = {run.id: run for run in store.summaries.all(RunFilter())}
        assert found == {run.id: RunSummary.of(run) for run in runs}
        assert [run.ref for run in found.values()] == [run.ref for run in runs]
        assert store.summaries.all(RunFilter(search="digits")) == (RunSummary.of(trial),)
        assert [run.ref for run in store.summaries.all(RunFilter(tags={"stage": "draft"}))] == ["digits#1"]
        assert [run.ref for run in store.summaries.all(RunFilter(best="val_loss"))] == ["digits#1"]

    def test_what_may_have_changed_is_what_runs_is_new_or_is_named(self, store: Store) -> None:
        ended, running, named = train(store, "ended"), begin(store, "running"), train(store, "named")
        since = datetime.now(UTC)
        new = train(store, "new")
        changed = store.summaries.changed(RunFilter(), since=since, ids=[named.id])
        assert {run.id for run in changed} == {running.id, named.id, new.id}
        assert len(changed) == 3
        assert {run.name for run in store.summaries.changed(RunFilter(name="ended"), since=since, ids=[])} == set()
        assert store.summaries.changed(RunFilter(), since=ended.started_at, ids=[])[0].id == running.id

    def test_curves_have_their_ends_and_not_more_points_than_asked_for(self, store: Store) -> None:
        runs = [train(store, num_epochs=num) for num in (2, 10, 101)]
        runs.append(begin(store))
        curves = store.summaries.curves([run.id for run in runs], 10)
        numbers = [[epoch.number for epoch in curves.get(run.id, ())] for run in runs]
        assert numbers[:2] == [[1, 2], [1, 3, 5, 7, 9, 10]]
        assert (numbers[2][0], numbers[2][-1], numbers[3]) == (1, 101, [])
        assert len(numbers[2]) <= 12
        assert curves[runs[2].id][-1] == some_epochs(101)[-1]

    def test_runs_come_in_the_order_of_their_ids_and_what_is_gone_is_passed_over(self, store: Store) -> None:
        runs = [train(store) for _ in range(3)]
        ids = [runs[2].id, "nothing", runs[0].id]
        assert [run.ref for run in store.summaries.with_ids(ids)] == ["digits#3", "digits#1"]
        assert store.summaries.with_ids(()) == ()

    def test_a_run_that_was_registered_later_says_as_what(self, store: Store) -> None:
        run, unfinished = train(store), begin(store)
        store.runs.note_model(run.id, "digits@7")
        store.runs.note_model(unfinished.id, "digits@8")
        noted = store.runs.get(run.id)
        assert noted.result
        assert noted.result.model_id == "digits@7"
        assert (noted.ended_at, noted.epochs) == (run.ended_at, run.epochs)
        assert store.runs.get(unfinished.id) == unfinished
