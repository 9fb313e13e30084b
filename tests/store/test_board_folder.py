"""The links that TensorBoard reads."""

from __future__ import annotations

import shutil
import stat

import pytest
from store_samples import begin, begin_search, begin_trial

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store.board_folder import MOST_RUNS, link_runs, server_file


@pytest.fixture
def logs(home):
    return home / "board" / "runs"


def names(logs):
    return {link.name for link in logs.iterdir()}


def test_links_are_found_after_the_home_was_moved(store, home, logs, tmp_path):
    run, trial = begin(store), begin_trial(store, begin_search(store))
    assert link_runs(logs, [run, trial]) == frozenset()
    file = run.folder / "tensorboard" / "train" / "events.out.tfevents.1"
    file.parent.mkdir(parents=True)
    file.touch()
    assert link_runs(logs, [run, trial]) == {"digits#1"}
    assert names(logs) == {"digits#1", "digits#1 trial 1"}
    shutil.move(home, tmp_path / "moved")
    assert (tmp_path / "moved" / "board" / "runs" / "digits#1" / "train" / file.name).exists()


def test_a_name_leads_to_the_run_that_bears_it_now(store, logs):
    first = begin(store)
    link_runs(logs, [first])
    shutil.rmtree(first.folder)
    link_runs(logs, [])
    assert names(logs) == set()
    other = begin(store, "other")
    (logs / "other#1").symlink_to("../../runs/of_another/tensorboard")
    link_runs(logs, [other])
    assert (logs / "other#1").readlink().parent.name == other.id


def test_others_stay_until_all_are_too_many(store, logs):
    runs = [begin(store) for _ in range(MOST_RUNS + 1)]
    link_runs(logs, runs[:1])
    link_runs(logs, runs[1:MOST_RUNS])
    assert len(names(logs)) == MOST_RUNS
    link_runs(logs, runs[:2])
    assert len(names(logs)) == MOST_RUNS
    link_runs(logs, runs[MOST_RUNS:])
    assert names(logs) == {f"digits#{MOST_RUNS + 1}"}


def test_a_folder_that_cannot_be_written_is_told(store, home):
    (home / "board").write_text("a file")
    with pytest.raises(StoreError, match="board"), server_file(home):
        pytest.fail("it was given")
    assert stat.S_ISREG((home / "board").stat().st_mode)
