"""`%devices` on the machine that runs the tests."""

from __future__ import annotations

from jupyter_mltrain.domain.errors import OptionError


def test_shows_the_devices_and_what_auto_would_choose(notebook):
    notebook.run("%devices")
    lines = notebook.text.splitlines()
    assert lines[0].split()[:2] == ["device", "description"]
    assert lines[1].split()[0] == "CPU:0"
    assert any(line.startswith("--strategy auto: ") for line in lines)
    assert "--precision auto: float32." in notebook.text
    assert "--plan auto: epoch at once" in notebook.text
    assert notebook["Out"] == {}
    assert not notebook.home.exists()


def test_is_the_same_each_time_on_a_machine_without_gpus(notebook):
    assert notebook.run("%devices").text == notebook.run("%devices").text


def test_takes_no_words(notebook):
    notebook.try_run("%devices gpu")
    assert isinstance(notebook.error, OptionError)
    assert "expected nothing more for %devices, received 'gpu'" in str(notebook.error)
