"""`%mltrain`: status and doctor, on homes that are well and on one that is not."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import pytest

from jupyter_mltrain.domain.errors import OptionError, StoreError


def test_status_is_the_default(trained):
    trained.run("%mltrain")
    assert trained.text.splitlines() == [
        f"- Home: {trained.home}.",
        "- Runs: 3, the newest other#1 (failed).",
        "- Models: net.",
        "- Being trained: none.",
    ]
    status = trained.text
    assert trained.run("%mltrain status").text == status


def test_status_of_a_home_without_runs(notebook):
    notebook.run("%mltrain")
    assert "- Runs: 0.\n- Models: none." in notebook.text


def test_doctor_tells_versions_database_leftovers_and_processes(trained):
    (trained.home / "models" / "net" / ".partial-abc-best.keras").write_bytes(b"x" * 100)
    trained.run("%mltrain doctor")
    versions, *findings = trained.text.splitlines()
    assert f"Python {platform.python_version()}" in versions
    for name in ("tensorflow", "keras", "ipykernel"):
        assert f"{name} {metadata.version(name)}" in versions
    found = "\n".join(findings)
    assert str(trained.home) in found
    assert "quick check found nothing wrong" in found
    assert "runs: 3, searches: 0, trials: 0, models: 1, model versions: 1" in found
    assert ".partial-abc-best.keras" in found
    assert "Processes: none trains." in found


def test_doctor_names_the_process_of_a_run_that_is_running(tiny):
    tiny.run("""
        %%train live
        model = net()
        look = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: get_ipython().run_line_magic("mltrain", "doctor"))
        model.fit(x, y, callbacks=[look])
    """)
    assert f"- Process {os.getpid()} on {platform.node()} trains live#1." in tiny.text


def test_doctor_goes_on_where_the_database_cannot_be_read(notebook):
    (notebook.home / "mltrain.db").mkdir(parents=True)
    notebook.run("%mltrain doctor")
    assert f"Home: {notebook.home}." in notebook.text
    assert "Trouble: expected to read and write" in notebook.text
    notebook.try_run("%mltrain status")
    assert isinstance(notebook.error, StoreError)


def test_unknown_commands_get_a_near_miss(notebook):
    with pytest.raises(OptionError, match=r"received 'docter': did you mean doctor\?"):
        notebook.run("%mltrain docter")
