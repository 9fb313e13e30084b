"""What every store promises of searches, whatever database is behind it; a test module gives the fixture `store`."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest
from store_contract import HOSTILE, NO_REFS, refs
from store_samples import begin, begin_search, begin_trial, end_trial, register, search_of, some_epochs, some_result, train

from jupyter_mltrain.domain.errors import OptionError, StoreError, UnknownNameError
from jupyter_mltrain.domain.run import Failure, Process, RunFilter, RunStatus, Trial
from jupyter_mltrain.store.processes import started_of, this_process
from jupyter_mltrain.store.record_files import NAME
from jupyter_mltrain.store.store import Store

HOSTILE_IN_NOTEBOOKS = [*HOSTILE, "<script>alert(1)</script>", "\"'`", "a\nb", "\u202eשלום"]  # noqa: RUF001 - letters of their own
ELSEWHERE = Process(host="elsewhere", pid=7, started=1.0)
ANY_JSON: dict[str, Any] = {
    "int": 2**70,
    "float": 0.1 + 0.2,
    "infinite": math.inf,
    "text": "naïve 🙂",
    "nothing": None,
    "yes": True,
    "list": [1, [2.5, None], {"a": []}],
}


def gone() -> Process:
    """A process of this host that has ended."""
    return replace(this_process(), started=this_process().started - 60)


class SearchStoreContract:
    def test_a_new_search_is_running_and_keeps_what_it_was_given(self, store: Store) -> None:
        before = datetime.now(UTC)
        search = begin_search(
            store,
            source="%%tune digits\nmodel.fit(x, y)",
            options={"trials": 20, "objectives": ("val_loss:min",)},
            tags={"team": "vision", "stage": ""},
            note="first",
            facts={"seed": 7, "objectives": ["val_loss:min"]},
        )
        assert search == store.searches.get(search.id)
        assert (search.ref, search.status, search.source) == ("digits#1", RunStatus.RUNNING, "%%tune digits\nmodel.fit(x, y)")
        assert search.options == {"trials": 20, "objectives": ["val_loss:min"]}
        assert (search.tags, search.note, search.user) == ({"team": "vision", "stage": ""}, "first", "ada")
        assert (search.facts, list(map(str, search.objectives))) == (
            {"seed": 7, "objectives": ["val_loss:min"]},
            ["val_loss:min"],
        )
        assert search.process == this_process()
        assert before <= search.started_at <= datetime.now(UTC)
        assert (search.ended_at, search.failure, search.num_trials, search.trials) == (None, None, 0, ())
        assert store.searches.state(search.id) == {}

    def test_searches_are_numbered_by_name_apart_from_runs_and_no_number_is_given_again(self, store: Store) -> None:
        train(store, "a")
        assert [search_of(store, 0, name).ref for name in ("a", "b", "a")] == ["a#1", "b#1", "a#2"]
        store.searches.remove(["a#2"])
        assert search_of(store, 0, "a").ref == "a#3"
        assert train(store, "a").ref == "a#2"

    def test_a_new_trial_is_a_running_run_with_values_and_leaves_the_oracles_state(self, store: Store) -> None:
        search = begin_search(store)
        state = {"random": [3, [1, 2**32], None], "tried": [[0.1]]}
        before = datetime.now(UTC)
        trial = begin_trial(
            store, search, values=ANY_JSON, state=state, options={"metrics": ("accuracy",)}, tags={"b": "2", "a": ""}, note="n"
        )
        assert trial == store.runs.get(trial.id)
        assert (trial.ref, trial.name, trial.number, trial.status) == ("digits#1/1", "digits#1/1", 1, RunStatus.RUNNING)
        assert trial.trial == Trial(search="digits#1", number=1, values=ANY_JSON, scores={})
        assert (trial.options, trial.tags, trial.note, trial.user) == ({"metrics": ["accuracy"]}, {"b": "2", "a": ""}, "n", "ada")
        assert (trial.source, trial.process, trial.facts) == (search.source, this_process(), {})
        assert before <= trial.started_at <= datetime.now(UTC)
        assert (trial.ended_at, trial.result, trial.failure, trial.epochs) == (None, None, None, ())
        assert trial.folder.is_dir()
        assert store.searches.state(search.id) == state
        assert store.searches.get("digits").trials == (trial,)

    def test_trials_are_numbered_by_search_and_no_number_is_given_again(self, store: Store) -> None:
        first, second = begin_search(store), begin_search(store)
        begun = [begin_trial(store, search) for search in (first, second, first)]
        assert refs(tuple(begun)) == ["digits#1/1", "digits#2/1", "digits#1/2"]
        end_trial(store, begun[2])
        store.runs.remove(["digits#1/2"])
        assert begin_trial(store, first).ref == "digits#1/3"

    def test_an_ended_trial_has_all_it_came_to_and_leaves_the_oracles_state(self, store: Store) -> None:
        search = begin_search(store)
        begun = begin_trial(store, search, values={"units": 16, "rate": 0.5})
        store.runs.add_facts(begun.id, {"seed": 7, "model": "old"})
        epochs = some_epochs(5)
        store.runs.append_epochs(begun.id, epochs[:2])
        result = some_result(epochs[-1].metrics, num_epochs=5)
        trial = end_trial(
            store,
            begun,
            status=RunStatus.PRUNED,
            result=result,
            epochs=epochs[1:],
            facts={"model": "new"},
            scores={"val_loss": 0.375},
            values={"units": 16},
            state={"told": [0.375]},
        )
        assert trial == store.runs.get("digits#1/1")
        assert (trial.status, trial.result, trial.epochs) == (RunStatus.PRUNED, result, tuple(epochs))
        assert trial.facts == {"seed": 7, "model": "new"}
        assert trial.trial == Trial(search="digits#1", number=1, values={"units": 16}, scores={"val_loss": 0.375})
        assert trial.ended_at is not None
        assert begun.started_at <= trial.ended_at <= datetime.now(UTC)
        assert store.searches.state(search.id) == {"told": [0.375]}

    def test_a_failed_trial_keeps_why(self, store: Store) -> None:
        failure = Failure(kind="ValueError", message="lone \ud800 surrogate", traceback="Traceback…\n")
        begun = begin_trial(store, begin_search(store))
        trial = end_trial(store, begun, status=RunStatus.FAILED, result=None, failure=failure, epochs=[], scores={})
        assert (trial.status, trial.failure, trial.result) == (RunStatus.FAILED, failure, None)
        assert trial.trial is not None
        assert trial.trial.scores == {}

    def test_scores_that_are_not_finite_are_left_out_and_values_come_back(self, store: Store) -> None:
        begun = begin_trial(store, begin_search(store), values={"rate": math.nan})
        scores = {"val_loss": math.nan, "val_accuracy": -math.inf, "num_params": 650}
        trial = end_trial(store, begun, result=None, scores=scores).trial
        assert trial is not None
        assert trial.scores == {"num_params": 650.0}
        assert math.isnan(trial.values["rate"])

    def test_what_is_neither_search_nor_trial_is_refused_and_nothing_is_written(self, store: Store) -> None:
        search, run = begin_search(store), begin(store)
        for write in (
            lambda: begin_trial(store, replace(search, id="nothing")),
            lambda: end_trial(store, run),
            lambda: end_trial(store, replace(run, id="nothing")),
            lambda: store.searches.restart_trial(run.id, this_process()),
            lambda: store.searches.add_facts("nothing", {"seed": 7}),
            lambda: store.searches.finish_search("nothing", status=RunStatus.COMPLETED),
            lambda: store.searches.resume_search("nothing", this_process()),
            lambda: store.searches.state("nothing"),
        ):
            with pytest.raises(UnknownNameError):
                write()
        assert store.runs.get(run.id) == run
        assert store.searches.get(search.id) == search

    def test_a_trial_that_cannot_be_written_leaves_state_and_number_as_they_were(self, store: Store) -> None:
        search = begin_search(store)
        begun = begin_trial(store, search, state={"begun": 1})
        with pytest.raises(StoreError):
            begin_trial(store, search, state={"begun": 2}, tags={"key": None})
        with pytest.raises(StoreError):
            end_trial(store, begun, state={"ended": 1}, epochs=some_epochs(1) * 2)
        assert store.searches.state(search.id) == {"begun": 1}
        assert store.runs.get(begun.id) == begun
        assert begin_trial(store, search).ref == "digits#1/2"

    def test_a_search_has_its_trials_in_order_with_their_epochs_and_the_best(self, store: Store) -> None:
        search_of(store, 2, "other")
        search = search_of(store, 11)
        assert search == store.searches.get("digits")
        assert refs(search.trials) == [f"digits#1/{number}" for number in range(1, 12)]
        assert [len(trial.epochs) for trial in search.trials] == list(range(1, 12))
        assert search.trials == tuple(store.runs.get(trial.id) for trial in search.trials)
        assert search.num_trials == 11
        assert search.best == search.trials[10]

    def test_a_search_is_found_by_id_by_name_and_by_number(self, store: Store) -> None:
        first, second = search_of(store, 1), search_of(store, 2)
        assert store.searches.get(first.id) == first
        assert store.searches.get("digits#1") == first
        assert store.searches.get("digits") == second

    def test_an_unknown_search_is_an_error_that_suggests_near_ones(self, store: Store) -> None:
        search_of(store, 1)
        train(store, "digitz")
        with pytest.raises(UnknownNameError, match=r"no search named 'digts': did you mean digits\?"):
            store.searches.get("digts")
        with pytest.raises(UnknownNameError, match=r"no search named 'digits#2': did you mean digits#1\?"):
            store.searches.get("digits#2")

    @pytest.mark.parametrize("ref", [*NO_REFS, "digits/1", "digits#1/1", "/1", "digits/", "digits#1/" + "9" * 40])
    def test_what_can_name_no_search_is_unknown(self, store: Store, ref: str) -> None:
        search_of(store, 1)
        with pytest.raises(UnknownNameError):
            store.searches.get(ref)
        with pytest.raises(UnknownNameError):
            store.searches.remove([ref])
        with pytest.raises(UnknownNameError):
            store.runs.list(RunFilter(search=ref))
        assert store.searches.count() == 1

    def test_a_trial_is_found_by_id_by_search_and_as_that_of_the_newest(self, store: Store) -> None:
        first, second = search_of(store, 2).trials, search_of(store, 1).trials
        run = train(store)
        assert store.runs.get(first[1].id) == store.runs.get("digits#1/2") == first[1]
        assert store.runs.get("digits/1") == second[0]
        assert store.runs.get("digits") == run

    def test_an_unknown_trial_is_an_error_that_suggests_near_ones(self, store: Store) -> None:
        search_of(store, 2)
        search_of(store, 1)
        with pytest.raises(UnknownNameError, match=r"no trial named 'digits/2': did you mean digits/1\?"):
            store.runs.get("digits/2")
        with pytest.raises(UnknownNameError, match=r"no trial named 'digits#1/3': did you mean digits#1/\d or digits#1/\d\?"):
            store.runs.get("digits#1/3")
        with pytest.raises(UnknownNameError, match=r"no search named 'digts': did you mean digits\?"):
            store.runs.get("digts/1")
        for ref in ("digits#1/0", "digits#1/٢", "digits#1/1/1", "digits#1/" + "9" * 40, "/1", "digits/"):
            with pytest.raises(UnknownNameError):
                store.runs.get(ref)

    @pytest.mark.parametrize("text", HOSTILE_IN_NOTEBOOKS)
    def test_any_text_comes_back_as_it_was(self, store: Store, text: str) -> None:
        given = {"source": text, "note": text, "user": text, "tags": {text: text}, "options": {text: text}}
        search = begin_search(store, text, **given, facts={text: [text]})
        values = {text: text}
        begun = begin_trial(store, search, **given, values=values, state={text: text})
        failure = Failure(kind="E", message=text, traceback=text)
        trial = end_trial(store, begun, failure=failure, facts={text: [text]}, scores={text: 0.5}, state={text: [text]})
        done = store.searches.finish_search(search.id, status=RunStatus.FAILED, failure=failure)
        for found in (done, trial):
            assert (found.source, found.note, found.user, found.failure) == (text, text, text, failure)
            assert (found.tags, found.options, found.facts) == ({text: text}, {text: text}, {text: [text]})
        assert (done.name, trial.ref, trial.name) == (text, f"{text}#1/1", f"{text}#1/1")
        assert trial.trial == Trial(search=f"{text}#1", number=1, values=values, scores={text: 0.5})
        assert store.searches.state(search.id) == {text: [text]}
        assert store.searches.get(text) == store.searches.get(f"{text}#1") == done
        assert store.runs.get(f"{text}#1/1") == trial
        assert store.runs.list(RunFilter(search=text, tags={text: text}, best=text)) == (replace(trial, epochs=()),)
        assert store.searches.remove([text]) == (done,)

    def test_runs_are_listed_counted_and_named_without_trials(self, store: Store) -> None:
        run = train(store, "a", tags={"team": "vision"})
        search = begin_search(store, "b")
        end_trial(store, begin_trial(store, search, tags={"team": "vision"}))
        begin_trial(store, search)
        for which in (RunFilter(), RunFilter(best="val_loss"), RunFilter(tags={"team": ""}), RunFilter(since=run.started_at)):
            assert refs(store.runs.list(which)) == ["a#1"]
            assert store.runs.count(which) == 1
        assert store.runs.list(RunFilter(status=RunStatus.RUNNING)) == ()
        assert store.runs.count(RunFilter(status=RunStatus.RUNNING)) == 0
        assert store.runs.names() == ("a",)
        assert len(store.runs.folders()) == 3

    def test_trials_of_a_search_are_listed_in_their_order_or_the_best_first(self, store: Store) -> None:
        train(store)
        search_of(store, 3, "other")
        search_of(store, 1)
        search = begin_search(store)
        for number, loss in enumerate((0.5, 0.1, math.nan, 0.3, 0.1), start=1):
            begun = begin_trial(store, search, values={"units": number})
            end_trial(store, begun, result=some_result({"loss": loss}), scores={"val_loss": loss, "num_params": 10 - number})
        begin_trial(store, search)
        trials = store.runs.list(RunFilter(search="digits"))
        assert refs(trials) == [f"digits#2/{number}" for number in range(1, 7)]
        assert [trial.trial for trial in trials] == [trial.trial for trial in store.searches.get("digits").trials]
        assert all(trial.epochs == () for trial in trials)
        assert refs(store.runs.list(RunFilter(search="digits#2", limit=2, offset=3))) == ["digits#2/4", "digits#2/5"]
        assert refs(store.runs.list(RunFilter(search=search.id, status=RunStatus.RUNNING))) == ["digits#2/6"]
        best = store.runs.list(RunFilter(search="digits#2", best="val_loss"))
        assert refs(best) == [f"digits#2/{number}" for number in (2, 5, 4, 1)]
        assert refs(store.runs.list(RunFilter(search="digits", best="num_params", limit=1))) == ["digits#2/5"]
        assert store.runs.count(RunFilter(search="digits", best="loss")) == 4
        assert [store.runs.count(RunFilter(search=ref)) for ref in ("digits", "digits#1", "other")] == [6, 1, 3]
        with pytest.raises(UnknownNameError, match=r"no search named 'digts': did you mean digits\?"):
            store.runs.list(RunFilter(search="digts"))

    def test_searches_are_listed_newest_first_in_pages_without_trials(self, store: Store) -> None:
        for num_trials in range(4):
            search_of(store, num_trials)
        begin_search(store, "other")
        assert [search.ref for search in store.searches.list(2)] == ["other#1", "digits#4"]
        found = store.searches.list(2, 2)
        assert [(search.ref, search.num_trials, search.trials) for search in found] == [("digits#3", 2, ()), ("digits#2", 1, ())]
        assert found[0] == replace(store.searches.get("digits#3"), trials=())
        assert [search.ref for search in store.searches.list(2, name="digits")] == ["digits#4", "digits#3"]
        assert [search.ref for search in store.searches.list(status=RunStatus.RUNNING)] == ["other#1"]
        assert store.searches.count() == 5
        assert store.searches.names() == ("digits", "other")

    def test_a_finished_search_has_its_facts_and_why_it_failed(self, store: Store) -> None:
        search = begin_search(store, facts={"seed": 7, "said": []})
        begin_trial(store, search)
        store.searches.add_facts(search.id, {"space": [{"name": "units"}], "said": ["a"]})
        failure = Failure(kind="ValueError", message="three in a row", traceback="Traceback…")
        done = store.searches.finish_search(search.id, status=RunStatus.FAILED, failure=failure, facts={"said": ["b"]})
        assert done == store.searches.get(search.id)
        assert (done.status, done.failure, done.num_trials) == (RunStatus.FAILED, failure, 1)
        assert done.facts == {"seed": 7, "space": [{"name": "units"}], "said": ["b"]}
        assert done.ended_at is not None
        assert search.started_at <= done.ended_at <= datetime.now(UTC)

    def test_what_a_resumed_search_does_again_is_what_came_to_no_end(self, store: Store) -> None:
        search = begin_search(store)
        for status in (*RunStatus, RunStatus.COMPLETED):
            trial = begin_trial(store, search)
            if status not in (RunStatus.RUNNING, RunStatus.DIED):
                end_trial(store, trial, status=status)
        begin_trial(store, search, process=gone())
        store.runs.mark_died()
        begin_trial(store, begin_search(store))
        found = store.searches.unfinished(search.id)
        assert [(run.ref, run.status) for run in found] == [
            ("digits#1/1", RunStatus.RUNNING),
            ("digits#1/3", RunStatus.STOPPED),
            ("digits#1/4", RunStatus.INTERRUPTED),
            ("digits#1/7", RunStatus.RUNNING),
            ("digits#1/9", RunStatus.DIED),
        ]

    def test_a_trial_done_again_keeps_number_and_values_and_nothing_it_had_come_to(self, store: Store) -> None:
        search = begin_search(store)
        begun = begin_trial(store, search, values={"units": 32}, tags={"team": "vision"}, process=ELSEWHERE)
        other = begin_trial(store, search)
        ended = end_trial(store, begun, status=RunStatus.STOPPED, facts={"seed": 7}, state={"told": 1})
        end_trial(store, other, state={"told": 2})
        (ended.folder / "tensorboard" / "train").mkdir(parents=True)
        (ended.folder / "best.keras").write_bytes(b"weights")
        again = store.searches.restart_trial(ended.id, this_process())
        assert again == store.runs.get("digits#1/1")
        assert again == replace(begun, started_at=again.started_at, process=this_process())
        assert again.started_at > begun.started_at
        assert {path.name for path in again.folder.iterdir()} <= {NAME}
        assert refs(store.runs.list(RunFilter(search="digits", best="val_loss"))) == ["digits#1/2"]
        assert store.searches.state(search.id) == {"told": 2}
        done = end_trial(store, again, num_epochs=2)
        assert (done.ref, len(done.epochs), store.searches.get("digits").num_trials) == ("digits#1/1", 2, 2)

    def test_a_trial_whose_folder_is_gone_can_be_done_again(self, store: Store) -> None:
        begun = begin_trial(store, begin_search(store))
        shutil.rmtree(begun.folder)
        assert store.searches.restart_trial(begun.id, this_process()).folder.is_dir()

    def test_a_trial_that_another_process_trains_cannot_be_done_again(self, store: Store) -> None:
        search = begin_search(store)
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            process = replace(this_process(), pid=child.pid, started=started_of(psutil.Process(child.pid)))
            busy = begin_trial(store, search, process=process)
            ended = end_trial(store, begin_trial(store, search, process=process), status=RunStatus.INTERRUPTED)
            with pytest.raises(OptionError, match=rf"digits#1/1 to have ended, received one that process {child.pid} on "):
                store.searches.restart_trial(busy.id, this_process())
            assert store.runs.get(busy.id) == busy
            assert store.searches.restart_trial(ended.id, this_process()).status is RunStatus.RUNNING
        assert store.searches.restart_trial(busy.id, this_process()).process == this_process()
        far = begin_trial(store, search, process=ELSEWHERE)
        assert store.searches.restart_trial(far.id, this_process()).process == this_process()

    def test_a_search_that_ended_or_died_goes_on_with_its_trials(self, store: Store) -> None:
        failure = Failure(kind="E", message="m", traceback="t")
        search = begin_search(store, process=ELSEWHERE, facts={"seed": 7})
        end_trial(store, begin_trial(store, search), state={"told": 1})
        done = store.searches.finish_search(search.id, status=RunStatus.FAILED, failure=failure)
        again = store.searches.resume_search(search.id, this_process())
        assert again == replace(done, status=RunStatus.RUNNING, ended_at=None, failure=None, process=this_process())
        assert store.searches.state(search.id) == {"told": 1}
        assert begin_trial(store, again).ref == "digits#1/2"
        dead = begin_search(store, process=gone())
        assert store.searches.resume_search(dead.id, this_process()).status is RunStatus.RUNNING

    def test_a_search_that_runs_elsewhere_cannot_go_on_here(self, store: Store) -> None:
        far = begin_search(store, process=ELSEWHERE)
        with pytest.raises(OptionError, match=r"expected digits#1 to have ended, .* process 7 on elsewhere is at work on"):
            store.searches.resume_search(far.id, this_process())
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            process = replace(this_process(), pid=child.pid, started=started_of(psutil.Process(child.pid)))
            near = begin_search(store, process=process)
            with pytest.raises(OptionError, match=rf"process {child.pid} on {process.host} is at work on"):
                store.searches.resume_search(near.id, this_process())
            assert store.searches.get(near.id) == near
        assert store.searches.resume_search(near.id, this_process()).process == this_process()
        assert store.searches.resume_search(near.id, this_process()).process == this_process()

    def test_removing_takes_trials_and_files_and_leaves_versions(self, store: Store) -> None:
        run, other, search = train(store), search_of(store, 2), search_of(store, 3)
        (search.trials[0].folder / "tensorboard").mkdir()
        version = register(store, search.trials[0])
        assert version.run_ref == "digits#2/1"
        assert store.searches.remove([search.id, "digits#2"]) == (search,)
        assert not any(trial.folder.exists() for trial in search.trials)
        assert all(trial.folder.is_dir() for trial in (run, *other.trials))
        assert [found.ref for found in store.searches.list()] == ["digits#1"]
        assert set(store.runs.folders()) == {trial.folder for trial in (run, *other.trials)}
        assert store.models.verify(store.models.get("digits@1")) == version.path
        for gone_ref in (search.id, "digits#2"):
            with pytest.raises(UnknownNameError):
                store.searches.get(gone_ref)
        with pytest.raises(UnknownNameError):
            store.runs.get(search.trials[0].id)

    def test_a_running_search_cannot_be_removed_nor_any_beside_it(self, store: Store) -> None:
        done, _ = search_of(store, 1, "done"), begin_search(store, "busy")
        with pytest.raises(OptionError, match="expected searches that have ended, received busy#1, which is running"):
            store.searches.remove(["done", "busy"])
        assert store.searches.count() == 2
        assert done.trials[0].folder.is_dir()

    def test_a_trial_can_be_removed_alone_unless_it_is_running(self, store: Store) -> None:
        search = begin_search(store)
        first, second = (end_trial(store, begin_trial(store, search)) for _ in range(2))
        running = begin_trial(store, search)
        with pytest.raises(OptionError, match="received digits#1/3, which is running: stop it first"):
            store.runs.remove(["digits/1", "digits/3"])
        assert store.runs.remove(["digits/1"]) == (first,)
        assert not first.folder.exists()
        assert store.searches.get("digits").trials == (second, running)
        assert store.searches.list()[0].num_trials == 2

    def test_searches_whose_process_is_gone_are_marked_died(self, store: Store) -> None:
        lost = begin_search(store, "lost", process=gone())
        trial = end_trial(store, begin_trial(store, lost, process=gone()))
        begin_search(store, "elsewhere", process=ELSEWHERE)
        begin_search(store, "alive")
        done = begin_search(store, "done", process=gone())
        store.searches.finish_search(done.id, status=RunStatus.COMPLETED)
        died = store.searches.mark_died()
        assert [(search.ref, search.status, search.trials) for search in died] == [("lost#1", RunStatus.DIED, (trial,))]
        assert [search.ref for search in store.searches.list(status=RunStatus.RUNNING)] == ["alive#1", "elsewhere#1"]
        assert store.searches.mark_died() == ()

    def test_opening_a_home_marks_searches_and_trials_of_a_process_that_is_gone(self, store: Store) -> None:
        search = begin_search(store, process=gone())
        begin_trial(store, search, process=gone())
        found = Store(store.home, store.address).searches.get(search.id)
        assert (found.status, found.trials[0].status) == (RunStatus.DIED, RunStatus.DIED)
