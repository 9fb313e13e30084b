"""A disk that is full, and a database that is damaged, in the middle of a training."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

import jupyter_mltrain
from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunFilter, RunStatus
from jupyter_mltrain.services import recording
from jupyter_mltrain.store.store import Store

CELL = """
def fill(epoch, logs):
    if epoch == 2 and not disk.exists():
        with suppress(OSError), disk.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1000))
model = net()
model.fit(x, y, epochs=6, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=fill)])
"""


def test_the_training_ends_and_is_recorded_when_there_is_room(tiny, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_PATIENCE", 0.5)
    monkeypatch.setattr(recording, "_SECONDS_BETWEEN_TRIES", 0.05)
    home, rest = small_disk / "home", small_disk / "rest"
    tiny.run(f"from contextlib import suppress\nfrom pathlib import Path\ndisk = Path({str(rest)!r})")
    tiny.run(f"%%train whole --seed 3{CELL.replace('if epoch == 2', 'if epoch == 99')}")
    whole = tiny["run"]
    tiny.run(f"%config MLTrain.home = {str(home)!r}")
    tiny.try_run(f"%%train full --seed 3 --checkpoint-every 1 epoch{CELL}")
    assert isinstance(tiny.error, StoreError)
    assert tiny["model"].predict(tiny["x"], verbose=0).shape == (len(tiny["x"]), 2)
    with closing(Store(home)) as store:
        assert store.runs.count(RunFilter()) == 1
    rest.unlink()
    until = time.monotonic() + 60
    while jupyter_mltrain.runs["full"].status is RunStatus.RUNNING and time.monotonic() < until:
        time.sleep(0.05)
    run = jupyter_mltrain.runs["full"]
    assert (run.status, run.history) == (RunStatus.FAILED, whole.history)
    rest.touch()
    tiny.run(f"%%train --resume full{CELL}")
    assert (tiny["run"].status, tiny["run"].history) == (RunStatus.COMPLETED, whole.history)
    tiny.run("%mltrain doctor")
    assert "quick check found nothing wrong" in tiny.text


def test_a_training_whose_database_is_damaged_ends_as_any_other(tiny, caplog: pytest.LogCaptureFixture) -> None:
    tiny.run("%%train first --register net\nmodel = net()\nmodel.fit(x, y, verbose=0)")
    tiny.run(f"""
        %%train cut --register net
        from pathlib import Path
        def damage(epoch, logs):
            if epoch == 1:
                Path({str(tiny.home)!r}, "mltrain.db").write_bytes(b"no database" * 1000)
        model = net()
        model.fit(x, y, epochs=4, verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=damage)])
    """)
    run = tiny["run"]
    assert (run.status, len(run.epochs), run.result.model_id) == (RunStatus.COMPLETED, 4, "net@2")
    assert jupyter_mltrain.runs["cut"] == run
    assert jupyter_mltrain.runs["first"].result.model_id == "net@1"
    assert jupyter_mltrain.load_model("net@1").count_params() == 22
    (said,) = caplog.messages
    assert "runs: 2, searches: 0, model versions: 1; nothing is missing" in said
