"""What every store promises, whatever database is behind it; a test module gives the fixture `store`."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update
from store_samples import SIGNATURE, begin, begin_search, finish_with, register, register_file, some_epochs, some_result, train

from jupyter_mltrain.domain.errors import ModelFileError, OptionError, StoreError, UnknownNameError
from jupyter_mltrain.domain.run import Epoch, Failure, Parent, Process, Run, RunFilter, RunStatus
from jupyter_mltrain.store.heartbeats import SECONDS_TO_LIVE
from jupyter_mltrain.store.processes import started_of, this_process
from jupyter_mltrain.store.schema import heartbeats
from jupyter_mltrain.store.schema import runs as run_table
from jupyter_mltrain.store.store import Store

HOSTILE = [
    "'; DROP TABLE runs; --",
    'a"b.c[0]$',
    "../../etc/passwd",
    "%s {0} %(name)s :name ?",
    "naïve 模型 🙂 \u202e",
    "line\r\nline\ttab\x00nul\x7f",
    "NaN",
    "x" * 100_000,
]
ELSEWHERE = Process(host="elsewhere", pid=7, started=1.0)
NO_REFS = ["", "#", "@", "../x", "digits#0", "digits@0", "digits#2x", "digits#٢", "digits#" + "9" * 40, "a\x00b", "\ud800"]


def refs(runs: tuple[Run, ...]) -> list[str]:
    return [run.ref for run in runs]


class RunStoreContract:
    def test_a_clock_that_is_set_back_changes_no_order(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        first = begin(store, "first")
        monkeypatch.setattr("jupyter_mltrain.store.records.now", lambda: datetime.now(UTC) - timedelta(hours=1))
        second, third = begin(store, "second"), begin(store, "third")
        assert first.started_at < second.started_at < third.started_at < first.started_at + timedelta(seconds=1)
        assert refs(store.runs.list(RunFilter())) == ["third#1", "second#1", "first#1"]
        ended = store.runs.finish_run(first.id, status=RunStatus.COMPLETED, result=some_result({"loss": 0.5}))
        assert (ended.ended_at, ended.result and ended.result.duration) == (first.started_at, 2.5)

    def test_a_new_run_is_running_and_keeps_what_it_was_given(self, store: Store) -> None:
        before = datetime.now(UTC)
        run = begin(
            store,
            source="%%train digits\nmodel.fit(x, y)",
            options={"epochs": 20, "metrics": ("accuracy",)},
            tags={"team": "vision", "stage": ""},
            note="first",
            facts={"seed": 7},
        )
        assert run == store.runs.get(run.id)
        assert (run.ref, run.status, run.source) == ("digits#1", RunStatus.RUNNING, "%%train digits\nmodel.fit(x, y)")
        assert run.options == {"epochs": 20, "metrics": ["accuracy"]}
        assert (run.tags, run.note, run.facts, run.user) == ({"team": "vision", "stage": ""}, "first", {"seed": 7}, "ada")
        assert run.process == this_process()
        assert before <= run.started_at <= datetime.now(UTC)
        assert (run.ended_at, run.result, run.failure, run.epochs) == (None, None, None, ())
        assert run.folder.is_dir()

    def test_a_fork_keeps_its_parent_which_may_be_removed(self, store: Store) -> None:
        first, alone = train(store), train(store, "alone")
        parent = Parent(id=first.id, ref=first.ref, epoch=2, step=7)
        second = train(store, parent=parent)
        third = begin(store, "other", parent=Parent(id=second.id, ref=second.ref, epoch=4))
        assert (first.parent, store.runs.get(second.id).parent) == (None, parent)
        assert [(run.ref, run.epochs) for run in store.runs.families()] == [("digits#1", ()), ("digits#2", ()), ("other#1", ())]
        assert alone not in store.runs.families()
        store.runs.resume_run(second.id, this_process(), num_epochs=3)
        store.runs.remove([first.ref])
        assert [(run.ref, run.parent) for run in store.runs.families()] == [("digits#2", parent), ("other#1", third.parent)]

    def test_runs_are_numbered_by_name_and_a_number_is_never_given_again(self, store: Store) -> None:
        assert [train(store, name).ref for name in ("a", "b", "a")] == ["a#1", "b#1", "a#2"]
        store.runs.remove(["a#2"])
        assert train(store, "a").ref == "a#3"

    def test_names_and_labels_are_sorted_by_their_characters_in_every_database(self, store: Store) -> None:
        tags = {"b": "", "_": "", "B": "", "a b": "", "a-c": ""}
        runs = [train(store, name, tags=tags) for name in ("b", "B", "a_c", "a-b", "é")]
        for run, name in zip(runs, ("b", "Z", "a_c", "a-b", "m"), strict=True):
            register(store, run, name)
        assert store.runs.names() == ("B", "a-b", "a_c", "b", "é")
        assert store.models.names() == ("Z", "a-b", "a_c", "b", "m")
        assert list(store.runs.get("b").tags) == ["B", "_", "a b", "a-c", "b"]

    def test_a_run_is_found_by_id_by_name_and_by_number(self, store: Store) -> None:
        first, second = train(store), train(store)
        assert store.runs.get(first.id) == first
        assert store.runs.get("digits#1") == first
        assert store.runs.get("digits") == second

    def test_an_unknown_run_is_an_error_that_suggests_near_ones(self, store: Store) -> None:
        train(store)
        with pytest.raises(UnknownNameError, match=r"no run named 'digts': did you mean digits\?"):
            store.runs.get("digts")
        with pytest.raises(UnknownNameError, match=r"no run named 'digits#2': did you mean digits#1\?"):
            store.runs.get("digits#2")

    @pytest.mark.parametrize("ref", NO_REFS)
    def test_what_can_name_no_run_is_unknown(self, store: Store, ref: str) -> None:
        train(store)
        with pytest.raises(UnknownNameError):
            store.runs.get(ref)
        with pytest.raises(UnknownNameError):
            store.runs.remove([ref])
        assert store.runs.count(RunFilter()) == 1

    def test_facts_are_merged_by_key(self, store: Store) -> None:
        run = begin(store, facts={"seed": 7, "data": {"x": 1}})
        store.runs.add_facts(run.id, {"data": {"y": 2}, "model": "cnn"})
        assert store.runs.get(run.id).facts == {"seed": 7, "data": {"y": 2}, "model": "cnn"}
        with pytest.raises(UnknownNameError):
            store.runs.add_facts("nothing", {"seed": 8})

    def test_epochs_written_again_replace_what_was_there(self, store: Store) -> None:
        run = begin(store)
        epochs = some_epochs(3)
        store.runs.append_epochs(run.id, epochs[:2])
        corrected = replace(epochs[1], metrics={"loss": 9.0})
        store.runs.append_epochs(run.id, [corrected, epochs[2]])
        assert store.runs.get(run.id).epochs == (epochs[0], corrected, epochs[2])

    def test_epochs_of_a_run_that_is_not_there_are_refused(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.runs.append_epochs("nothing", some_epochs(1))

    def test_a_finished_run_has_its_result_and_all_its_epochs(self, store: Store) -> None:
        run, epochs = begin(store), some_epochs(5)
        result = some_result(epochs[-1].metrics, num_epochs=5)
        store.runs.append_epochs(run.id, epochs[:4])
        done = store.runs.finish_run(run.id, status=RunStatus.STOPPED, result=result, epochs=epochs[3:])
        assert done == store.runs.get(run.id)
        assert (done.status, done.result, done.epochs) == (RunStatus.STOPPED, result, tuple(epochs))
        assert done.ended_at is not None
        assert run.started_at <= done.ended_at <= datetime.now(UTC)
        with pytest.raises(UnknownNameError):
            store.runs.finish_run("nothing", status=RunStatus.STOPPED, result=result)

    def test_a_failed_run_keeps_why(self, store: Store) -> None:
        failure = Failure(kind="ValueError", message="lone \ud800 surrogate", traceback="Traceback…\n  x = 1 / 0\n")
        done = store.runs.finish_run(begin(store).id, status=RunStatus.FAILED, result=None, failure=failure)
        assert (done.status, done.failure, done.result) == (RunStatus.FAILED, failure, None)

    def test_metrics_that_are_not_finite_come_back(self, store: Store) -> None:
        metrics = {"loss": math.nan, "val_loss": math.inf, "gain": -math.inf, "small": 5e-324, "exact": 0.1 + 0.2}
        epoch = Epoch(number=1, phase=1, metrics=metrics, seconds=0.0)
        done = store.runs.finish_run(begin(store).id, status=RunStatus.FAILED, result=some_result(metrics), epochs=[epoch])
        assert done.result is not None
        for found in (done.epochs[0].metrics, done.result.best_metrics):
            assert math.isnan(found["loss"])
            assert {name: value for name, value in found.items() if name != "loss"} == {
                "val_loss": math.inf,
                "gain": -math.inf,
                "small": 5e-324,
                "exact": 0.1 + 0.2,
            }

    @pytest.mark.parametrize("text", HOSTILE)
    def test_any_text_comes_back_as_it_was(self, store: Store, text: str) -> None:
        failure = Failure(kind="E", message=text, traceback=text)
        given = {
            "source": text,
            "note": text,
            "user": text,
            "tags": {text: text},
            "options": {text: text},
            "facts": {text: [text]},
        }
        run = begin(store, **given)
        done = store.runs.finish_run(run.id, status=RunStatus.FAILED, result=some_result({text: 0.5}), failure=failure)
        assert (done.source, done.note, done.user, done.failure) == (text, text, text, failure)
        assert (done.tags, done.options, done.facts) == ({text: text}, {text: text}, {text: [text]})
        assert store.runs.list(RunFilter(tags={text: text}, best=text)) == (done,)
        assert store.runs.list(RunFilter(name=text)) == ()

    def test_text_that_cannot_be_encoded_does_not_lose_the_run(self, store: Store) -> None:
        run = begin(store, source="a \ud800", note="\udcff", tags={"k\udc80": "v"})
        assert (run.source, run.note, run.tags) == ("a \\ud800", "\\udcff", {"k\\udc80": "v"})

    def test_runs_are_listed_newest_first_in_pages_without_epochs(self, store: Store) -> None:
        for _ in range(5):
            train(store)
        assert refs(store.runs.list(RunFilter(limit=2))) == ["digits#5", "digits#4"]
        assert refs(store.runs.list(RunFilter(limit=2, offset=3))) == ["digits#2", "digits#1"]
        assert all(run.epochs == () and run.result is not None for run in store.runs.list(RunFilter()))
        assert store.runs.count(RunFilter(limit=2)) == 5

    def test_runs_are_filtered_by_name_status_and_time(self, store: Store) -> None:
        train(store, "a")
        failed = store.runs.finish_run(begin(store, "b").id, status=RunStatus.FAILED, result=None)
        running = begin(store, "b")
        assert refs(store.runs.list(RunFilter(name="b"))) == ["b#2", "b#1"]
        assert refs(store.runs.list(RunFilter(status=RunStatus.FAILED))) == ["b#1"]
        assert refs(store.runs.list(RunFilter(name="a", status=RunStatus.FAILED))) == []
        since = failed.started_at.astimezone(timezone(timedelta(hours=5)))
        assert store.runs.list(RunFilter(since=since)) == (running, failed)
        assert store.runs.count(RunFilter(since=running.started_at + timedelta(microseconds=1))) == 0

    def test_runs_are_filtered_by_tags(self, store: Store) -> None:
        train(store, "a", tags={"team": "vision", "stage": "draft"})
        train(store, "b", tags={"team": "text"})
        assert refs(store.runs.list(RunFilter(tags={"team": ""}))) == ["b#1", "a#1"]
        assert refs(store.runs.list(RunFilter(tags={"team": "vision"}))) == ["a#1"]
        assert refs(store.runs.list(RunFilter(tags={"team": "text", "stage": ""}))) == []

    def test_runs_are_filtered_by_the_model_that_they_made(self, store: Store) -> None:
        maker, _ = train(store, "a"), train(store, "b")
        register(store, maker, "digits")
        register(store, maker, "digits")
        assert refs(store.runs.list(RunFilter(model="digits"))) == ["a#1"]
        assert store.runs.list(RunFilter(model="a")) == ()

    def test_runs_are_ordered_by_their_best_metric(self, store: Store) -> None:
        for name, loss, accuracy in (("a", 0.5, 0.7), ("b", 0.1, 0.9), ("c", math.inf, 0.8), ("d", math.nan, 0.1)):
            finish_with(store, {"val_loss": loss, "val_accuracy": accuracy}, name)
        finish_with(store, {"loss": 0.0}, "e")
        begin(store, "f")
        assert refs(store.runs.list(RunFilter(best="val_loss"))) == ["b#1", "a#1", "c#1"]
        assert refs(store.runs.list(RunFilter(best="val_accuracy", limit=3))) == ["b#1", "c#1", "a#1"]
        assert refs(store.runs.list(RunFilter(best="val_accuracy", name="a"))) == ["a#1"]
        assert store.runs.count(RunFilter(best="val_accuracy")) == 4

    def test_a_result_given_again_replaces_the_first(self, store: Store) -> None:
        run = finish_with(store, {"val_loss": 0.5, "auc": 0.9})
        done = store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=some_result({"val_loss": 0.1}))
        assert store.runs.list(RunFilter(best="val_loss")) == (done,)
        assert store.runs.list(RunFilter(best="auc")) == ()

    def test_names_are_those_of_the_runs_there_are(self, store: Store) -> None:
        for name in ("b", "a", "b"):
            train(store, name)
        assert store.runs.names() == ("a", "b")
        store.runs.remove(["a"])
        assert store.runs.names() == ("b",)

    def test_removing_takes_record_and_files_and_leaves_versions(self, store: Store) -> None:
        run, other = train(store), train(store)
        version = register(store, run)
        (run.folder / "tensorboard" / "train").mkdir(parents=True)
        assert store.runs.remove([run.id, "digits#1"]) == (run,)
        assert not run.folder.exists()
        assert other.folder.is_dir()
        assert refs(store.runs.list(RunFilter())) == ["digits#2"]
        assert store.models.verify(store.models.get("digits@1")) == version.path
        with pytest.raises(UnknownNameError):
            store.runs.get(run.id)

    def test_a_running_run_cannot_be_removed_nor_any_beside_it(self, store: Store) -> None:
        done, running = train(store, "done"), begin(store, "busy")
        with pytest.raises(OptionError, match="received busy#1, which is running"):
            store.runs.remove(["done", "busy"])
        assert store.runs.count(RunFilter()) == 2
        assert done.folder.is_dir()
        assert running.folder.is_dir()

    def test_runs_whose_process_is_gone_are_marked_died(self, store: Store) -> None:
        here = this_process()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            started = started_of(psutil.Process(child.pid))
            orphan = begin(store, "orphan", process=Process(host=here.host, pid=child.pid, started=started))
            assert store.runs.mark_died() == ()
        reused = begin(store, "reused", process=replace(here, started=here.started - 60))
        begin(store, "elsewhere", process=Process(host="elsewhere", pid=child.pid, started=started))
        begin(store, "alive", process=replace(here, started=here.started + 0.4))
        train(store, "done", process=reused.process)
        store.runs.append_epochs(orphan.id, some_epochs(3))
        assert sorted(refs(store.runs.mark_died())) == ["orphan#1", "reused#1"]
        assert (store.runs.get("orphan").status, len(store.runs.get("orphan").epochs)) == (RunStatus.DIED, 3)
        assert refs(store.runs.list(RunFilter(status=RunStatus.RUNNING))) == ["alive#1", "elsewhere#1"]
        assert store.runs.mark_died() == ()

    def test_a_run_that_was_cut_short_goes_on_after_its_epochs(self, store: Store) -> None:
        failed = Failure(kind="E", message="m", traceback="t")
        run = begin(store, process=ELSEWHERE, facts={"seed": 7})
        epochs = some_epochs(4)
        ended = {"status": RunStatus.FAILED, "result": some_result({"loss": 0.5}), "failure": failed}
        done = store.runs.finish_run(run.id, **ended, epochs=epochs)
        again = store.runs.resume_run(run.id, this_process(), num_epochs=3)
        assert again == replace(
            done,
            status=RunStatus.RUNNING,
            ended_at=None,
            failure=None,
            result=None,
            process=this_process(),
            epochs=tuple(epochs[:3]),
        )
        assert store.runs.list(RunFilter(best="loss")) == ()
        with pytest.raises(UnknownNameError):
            store.runs.resume_run("nothing", this_process(), num_epochs=0)

    def test_a_run_that_another_process_trains_cannot_go_on_here(self, store: Store) -> None:
        far = begin(store, process=ELSEWHERE)
        store.runs.append_epochs(far.id, some_epochs(2))
        for refused in (store.runs.check_free, lambda *given: store.runs.resume_run(*given, num_epochs=0)):
            with pytest.raises(OptionError, match=r"expected digits#1 to have ended, .* process 7 on elsewhere is at work on"):
                refused(far.id, this_process())
        assert len(store.runs.get(far.id).epochs) == 2
        mine = begin(store)
        store.runs.check_free(mine.id, this_process())
        assert store.runs.resume_run(mine.id, this_process(), num_epochs=0).status is RunStatus.RUNNING

    def test_a_run_taken_for_dead_can_still_finish(self, store: Store) -> None:
        here = this_process()
        run = begin(store, process=replace(here, started=here.started - 60))
        store.runs.mark_died()
        assert store.runs.finish_run(run.id, status=RunStatus.COMPLETED, result=None).status is RunStatus.COMPLETED

    def test_a_process_on_another_machine_has_died_when_it_was_silent_for_long(self, store: Store) -> None:
        run, search = begin(store), begin_search(store)
        be_elsewhere(store, silent_for=SECONDS_TO_LIVE - 10)
        assert (store.runs.mark_died(), store.searches.mark_died()) == ((), ())
        with pytest.raises(OptionError, match=f"process {os.getpid()} on {run.process.host} is at work on"):
            store.runs.check_free(run.id, ELSEWHERE)
        be_elsewhere(store, silent_for=SECONDS_TO_LIVE + 10)
        store.runs.check_free(run.id, ELSEWHERE)
        assert (refs(store.runs.mark_died()), store.searches.mark_died()[0].ref) == (["digits#1"], search.ref)

    def test_who_was_taken_for_dead_and_is_heard_of_again_is_running(self, store: Store) -> None:
        lost, done, mine = begin(store, process=ELSEWHERE), train(store), begin(store)
        dead = store.runs.finish_run(begin(store).id, status=RunStatus.DIED, result=None)  # of another, which was seen to die
        be_elsewhere(store, silent_for=SECONDS_TO_LIVE + 10)
        assert store.runs.mark_died() == (replace(mine, status=RunStatus.DIED),)
        store.heartbeats.beat()
        assert store.runs.mark_died() == ()
        running, ended = RunStatus.RUNNING, RunStatus.COMPLETED
        assert [store.runs.get(run.id).status for run in (lost, done, mine)] == [running, ended, running]
        assert store.runs.get(dead.id) == dead

    def test_a_process_of_this_machine_is_not_waited_for(self, store: Store) -> None:
        begin(store)
        with store.database.write() as connection:
            connection.execute(update(heartbeats).values(process_started=5.0))
            connection.execute(update(run_table).values(process_started=5.0))
        assert refs(store.runs.mark_died()) == ["digits#1"]


def be_elsewhere(store: Store, *, silent_for: float) -> None:
    """Let what this process wrote be of a machine that has the same name."""
    heard = datetime.now(UTC) - timedelta(seconds=silent_for)
    with store.database.write() as connection:
        connection.execute(update(heartbeats).values(machine="another", beat_at=heard))


class ModelStoreContract:
    def test_a_version_keeps_the_file_and_what_it_was_given(self, store: Store) -> None:
        run = train(store)
        before = datetime.now(UTC)
        version = register(store, run, content=b"weights" * 400_000)
        assert version == store.models.get("digits@1")
        assert version.path == store.home / "models" / "digits" / "1.keras"
        assert version.path.read_bytes() == b"weights" * 400_000
        assert (version.sha256, version.size) == (hashlib.sha256(b"weights" * 400_000).hexdigest(), 2_800_000)
        assert (version.signature, version.num_params, version.metrics) == (SIGNATURE, 650, {"val_loss": 0.25})
        assert (version.run_id, version.run_ref, version.user) == (run.id, "digits#1", "ada")
        assert before <= version.created_at <= datetime.now(UTC)

    def test_versions_are_counted_by_name_and_found(self, store: Store) -> None:
        run = train(store)
        made = [register(store, run, name) for name in ("digits", "tabular", "digits")]
        assert [version.ref for version in made] == ["digits@1", "tabular@1", "digits@2"]
        assert store.models.get("digits") == made[2]
        assert store.models.get("digits@1") == made[0]
        assert [version.ref for version in store.models.list()] == ["digits@2", "tabular@1"]
        assert [version.ref for version in store.models.list("digits")] == ["digits@2", "digits@1"]
        assert store.models.names() == ("digits", "tabular")

    def test_the_suffix_of_the_file_is_kept(self, store: Store) -> None:
        version = register(store, train(store), file="best.of.weights.h5")
        assert version.path.name == "1.weights.h5"
        assert register(store, train(store), file="best.v2.keras").path.name == "2.keras"

    def test_an_unknown_version_is_an_error_that_suggests_near_ones(self, store: Store) -> None:
        register(store, train(store))
        with pytest.raises(UnknownNameError, match=r"no model named 'digts': did you mean digits\?"):
            store.models.get("digts")
        with pytest.raises(UnknownNameError, match=r"no model named 'digits@7': did you mean digits@1\?"):
            store.models.get("digits@7")
        with pytest.raises(UnknownNameError, match=r"no model named 'digts'"):
            store.models.list("digts")

    @pytest.mark.parametrize("ref", NO_REFS)
    def test_what_can_name_no_version_is_unknown(self, store: Store, ref: str) -> None:
        register(store, train(store))
        with pytest.raises(UnknownNameError):
            store.models.get(ref)

    @pytest.mark.parametrize("name", ["../x", "/tmp/x", "", "a/b", ".hidden", "a\x00b"])
    def test_a_name_that_is_no_name_writes_nothing(self, store: Store, name: str) -> None:
        run = train(store)
        with pytest.raises(OptionError, match="expected a model name"):
            register(store, run, name)
        assert [path for path in store.home.parent.rglob("*.keras") if path.parent != run.folder] == []

    def test_names_that_differ_by_capitals_alone_are_refused(self, store: Store) -> None:
        version = register(store, train(store), "digits")
        with pytest.raises(OptionError, match="differs by more than capitals from digits, received Digits"):
            register(store, train(store), "Digits")
        assert store.models.list() == (version,)

    def test_a_missing_file_is_an_error_and_makes_no_version(self, store: Store) -> None:
        run = train(store)
        with pytest.raises(StoreError, match=r"absent\.keras"):
            register_file(store, run, run.folder / "absent.keras")
        assert store.models.list() == ()
        assert list((store.home / "models").rglob("*.keras")) == []

    def test_a_changed_or_missing_file_is_found_out(self, store: Store) -> None:
        version = register(store, train(store), content=b"weights")
        assert store.models.verify(version) == version.path
        version.path.write_bytes(b"weightr")
        with pytest.raises(ModelFileError, match=r"received a changed or damaged file"):
            store.models.verify(version)
        version.path.unlink()
        with pytest.raises(ModelFileError, match=r"expected the file of digits@1"):
            store.models.verify(version)

    def test_metrics_that_are_not_finite_come_back(self, store: Store, tmp_path: Path) -> None:
        run, file = train(store), tmp_path / "best.keras"
        file.touch()
        metrics = {"loss": math.nan, "gain": math.inf}
        given = {"file": file, "signature": SIGNATURE, "num_params": 0, "run": run, "user": "ada"}
        found = store.models.register("digits", metrics=metrics, **given).metrics
        assert math.isnan(found["loss"])
        assert found["gain"] == math.inf
