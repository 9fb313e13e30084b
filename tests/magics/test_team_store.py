"""A notebook whose runs are recorded in a database that a team shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.errors import OptionError, StoreError
from jupyter_mltrain.services import recording
from jupyter_mltrain.services.home import find_store
from tests.postgres import Server

if TYPE_CHECKING:
    from tests.conftest import Notebook


@pytest.fixture
def team(tiny: Notebook, postgres: Server) -> Iterator[Notebook]:
    """A notebook that records in an empty database."""
    tiny.shell.user_ns["url"] = postgres.new_database().url
    tiny.run("%config MLTrain.store = url")
    yield tiny
    tiny.run("%config MLTrain.store = ''")


def test_a_team_uses_the_same_commands_and_a_server_that_goes_away_costs_nothing(
    team: Notebook, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(recording, "sleep", lambda _: postgres.start())  # the first time that somebody waits
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
    assert "The record is kept in memory and will be written when it can be: expected to reach postgresql://ada@127" in team.text
    assert "Waited for the store: expected to reach postgresql://ada@127" in team.text
    assert "The record that was kept in memory is written." in team.text
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


def test_a_wrong_store_is_an_error_wherever_it_is_used_and_shows_no_password(team: Notebook) -> None:
    for url, kind in (("mysql://ada:secret@db/team", OptionError), ("postgresql://ada:secret@127.0.0.1:1/team", StoreError)):
        team.run(f"%config MLTrain.store = {url!r}")
        for cell in ("%%train\nmodel = net()\nmodel.fit(x, y)", "%mltrain"):
            with pytest.raises(kind, match="expected") as error:
                team.run(cell)
            assert "secret" not in str(error.value)
    assert not team.home.exists()


def test_the_store_is_set_by_the_environment_or_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_store() == ""
    (tmp_path / "pyproject.toml").write_text('[tool.jupyter_mltrain]\nstore = "postgresql://project/team"\n')
    assert find_store() == ""  # the environment says so
    monkeypatch.delenv("MLTRAIN_STORE")
    assert find_store() == "postgresql://project/team"
    monkeypatch.setenv("MLTRAIN_STORE", "postgresql://environment/team")
    assert find_store() == "postgresql://environment/team"
    assert find_store("postgresql://line/team") == "postgresql://line/team"
