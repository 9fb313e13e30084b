"""A notebook whose runs are recorded in a database that a team shares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.errors import OptionError, StoreError
from jupyter_mltrain.magics.extension import settings_of
from jupyter_mltrain.magics.training_options import train_spec
from jupyter_mltrain.services import recording
from jupyter_mltrain.services.home import find_artifacts, find_store
from tests.postgres import Server

if TYPE_CHECKING:
    from tests.conftest import Notebook


@pytest.fixture
def team(tiny: Notebook, postgres: Server) -> Iterator[Notebook]:
    """A notebook that records in an empty database."""
    tiny.shell.user_ns["url"] = postgres.new_database().url
    tiny.run("%config MLTrain.store = url")
    yield tiny
    tiny.run("%config MLTrain.artifacts = ''").run("%config MLTrain.store = ''")


def test_a_team_uses_the_same_commands_and_a_server_that_goes_away_costs_nothing(
    team: Notebook, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_WRITES", 0.0)
    finish = recording.Recorder.finish

    def finish_while_the_server_starts(recorder, **end):
        Thread(target=postgres.start).start()
        return finish(recorder, **end)

    monkeypatch.setattr(recording.Recorder, "finish", finish_while_the_server_starts)
    team.shell.user_ns["stop"] = postgres.stop
    team.run("""
        %%train away --register net --epochs 12
        import time
        def look(epoch, logs):
            if epoch == 4:
                stop()
            time.sleep(0.1)
        model = net()
        model.fit(x, y, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)])
    """)
    assert "The run is kept in memory and will be written when it can be: expected to reach postgresql://ada@127" in team.text
    assert "The run that was kept in memory is written." in team.text
    run = jupyter_mltrain.runs["away#1"]
    assert (run.status, [epoch.number for epoch in run.epochs], run.result.model_id) == ("completed", [*range(1, 13)], "net@1")
    assert (team["run"].id, run.facts["hyperparams"]["epochs"]) == (run.id, 12)
    assert run.folder.parent == team.home / "postgresql-team" / "runs"
    place = f"postgresql://ada@127.0.0.1:{postgres.port}/team"
    team.run("%mltrain")
    assert team.text.splitlines() == [
        f"- Home: {team.home / 'postgresql-team'}.",
        f"- Store: {place}.",
        "- Runs: 1, the newest away#1 (completed).",
        "- Models: net.",
        "- Being trained: none.",
    ]
    team.run("%mltrain doctor")
    assert f"- Store: {place}, PostgreSQL " in team.text
    assert postgres.password not in team.text


def test_a_home_is_copied_by_one_command_and_a_run_tells_who_made_it(team: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "grace")
    team.run("%config MLTrain.store = ''")
    team.run("%%train net --register net --epochs 1\nmodel = net()\nmodel.fit(x, y)")
    team.run("%config MLTrain.store = url")
    team.run(f"%mltrain copy {team.home}")
    assert team.text == "- Copied: 1 run, 0 searches with 0 trials, 1 model version, 0 moves of aliases."
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    team.run("%%train net --register net --epochs 1\nmodel = net()\nmodel.fit(x, y)")
    team.run("%runs")
    assert [row.split()[-1] for row in team.text.splitlines()[-2:]] == ["ada", "grace"]
    assert jupyter_mltrain.load_model("net@1").count_params() == team["model"].count_params()
    team.run(f"%mltrain copy {{url}} {team.home}")
    assert team.text.splitlines()[1] == "- There already: 2 of the runs, searches and versions."
    with pytest.raises(OptionError, match=r"received /nowhere, where no mltrain\.db is: name a folder that has one"):
        team.run("%mltrain copy /nowhere")


def test_two_machines_have_one_home_through_a_folder_of_artifacts(team: Notebook, tmp_path: Path) -> None:
    slow = "\nmodel = net()\nmodel.fit(x, y, epochs=4, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)])"
    team.run("limit = 9\ndef look(epoch, logs):\n    if epoch == limit: raise RuntimeError('cut')")
    team.run(f"%%train whole --seed 3{slow}")
    whole = team["run"]
    shared = tmp_path / "shared"
    team.run(f"%config MLTrain.artifacts = 'file://{shared}'")
    team.run("%%train net --register net --epochs 1\nmodel = net()\nmodel.fit(x, y)")
    assert "The files are kept in" in team.text
    assert "will be uploaded when they can be: expected to read and write file://" in team.text
    team.run("%mltrain")
    assert f"- Artifacts: file://{shared}, 3 runs or models to be uploaded: expected to read and write" in team.text
    shared.mkdir()
    team.run("limit = 2").try_run(f"%%train cut --seed 3 --checkpoint-every '1 epoch'{slow}")
    assert str(team.error) == "cut"
    assert team.shell.magics_manager.registry["TrainMagics"].session.store.uploader.finish(60) == ""

    team.run(f"%config MLTrain.home = '{tmp_path / 'elsewhere'}'")
    here = tmp_path / "elsewhere" / "postgresql-team"
    assert not any((here / "runs").glob("*"))
    assert jupyter_mltrain.load_model("net@1").count_params() == jupyter_mltrain.load_model("whole#1").count_params()
    assert [path.name for path in here.glob("models/net/*")] == ["1.keras"]
    assert [run.folder.exists() for run in map(jupyter_mltrain.runs.__getitem__, ("whole", "net", "cut"))] == [True, False, False]
    team.run("limit = 9").run(f"%%train --resume cut{slow}")
    assert (team["run"].history, team["run"].folder.parent) == (whole.history, here / "runs")
    team.run(f"%mltrain copy {{url}} {tmp_path / 'copy'}")
    assert team.text.splitlines()[0].startswith("- Copied: 3 runs, 0 searches with 0 trials, 1 model version")
    assert len([*(tmp_path / "copy").glob("runs/*/best.keras")]) == 3
    team.run("%runs rm whole")
    assert not (shared / "runs" / whole.id).exists()


def test_a_wrong_store_is_an_error_wherever_it_is_used_and_shows_no_password(team: Notebook) -> None:
    for url, kind in (("mysql://ada:secret@db/team", OptionError), ("postgresql://ada:secret@127.0.0.1:1/team", StoreError)):
        team.run(f"%config MLTrain.store = {url!r}")
        for cell in ("%%train\nmodel = net()\nmodel.fit(x, y)", "%mltrain"):
            with pytest.raises(kind, match="expected") as error:
                team.run(cell)
            assert "secret" not in str(error.value)
    assert not team.home.exists()


@pytest.mark.parametrize(("find", "name"), [(find_store, "store"), (find_artifacts, "artifacts")])
def test_what_is_shared_is_set_by_the_environment_or_the_project(find, name, notebook, tmp_path, monkeypatch):
    variable = f"MLTRAIN_{name.upper()}"
    monkeypatch.setenv(variable, "")
    (tmp_path / "pyproject.toml").write_text(f'[tool.jupyter_mltrain]\n{name} = "scheme://project/team"\n')
    assert find() == ""  # the environment says so
    train_spec({}, settings_of(notebook.shell))  # it is no option of a training
    monkeypatch.delenv(variable)
    assert find() == "scheme://project/team"
    monkeypatch.setenv(variable, "scheme://environment/team")
    assert find() == "scheme://environment/team"
    assert find("scheme://line/team") == "scheme://line/team"
