"""The live registry's state and what its buttons do, on a real store."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample_models import make_registry
from sample_runs import Page

from jupyter_mltrain.services.session import Session
from jupyter_mltrain.widgets.registry_state import RegistryState

HOSTILE = "\"'</script><script>alert(1)</script>{x}\n\u202e" + "x" * 10_000


class Buttons:
    """A registry whose buttons are pressed."""

    def __init__(self, session: Session) -> None:
        self.session, self.state = session, RegistryState(session)

    def press(self, cmd: str, **command: Any) -> dict[str, Any]:
        """Return what is said afterwards."""
        self.state.do({"cmd": cmd, "model": "digits", **command})
        return dict(self.shown["said"])

    def promote(self, version: int, *, seen: int, alias: str = "champion", reason: str = "") -> dict[str, Any]:
        return self.press("promote", version=version, alias=alias, reason=reason, seen=seen)

    @property
    def shown(self) -> dict[str, Any]:
        """What the front end gets."""
        return dict(json.loads(json.dumps(self.state.snapshot(), allow_nan=False)))

    @property
    def model(self) -> dict[str, Any]:
        return dict(self.shown["models"][0])


@pytest.fixture
def buttons(tmp_path: Path) -> Iterator[Buttons]:
    session = make_registry(tmp_path / "home")
    yield Buttons(session)
    session.close()


def test_an_empty_registry_has_nothing_to_show(tmp_path: Path) -> None:
    said = {"text": "", "code": "", "is_error": False}
    assert RegistryState(Session(str(tmp_path))).snapshot() == {"models": [], "said": said, "detail": None, "num_commands": 0}


def test_every_version_is_shown_the_newest_first(buttons: Buttons) -> None:
    versions = buttons.model["versions"]
    assert [version["version"] for version in versions] == [3, 2, 1]
    assert (versions[0]["metrics"], versions[0]["run"], versions[0]["parameters"]) == ("val_loss 0.333", "digits#1", "650")
    assert (versions[0]["aliases"], versions[0]["archived"], buttons.model["aliases"]) == ([], False, [])


def test_models_are_shown_the_newest_first(buttons: Buttons) -> None:
    make_registry(buttons.session.home, 1, "tabular").close()
    assert [model["name"] for model in buttons.shown["models"]] == ["tabular", "digits"]


def test_an_alias_is_set_moved_and_rolled_back_with_the_code_that_does_the_same(buttons: Buttons) -> None:
    said = buttons.promote(1, seen=0, reason='the "first"')
    assert said["text"] == "digits@champion: digits@1 now, no version before."
    assert said["code"] == (
        "import jupyter_mltrain\njupyter_mltrain.models.promote('digits', 1, 'champion', reason='the \"first\"')"
    )
    assert buttons.promote(3, seen=1)["code"].endswith("models.promote('digits', 3, 'champion')")
    assert [version["aliases"] for version in buttons.model["versions"]] == [["champion"], [], []]
    said = buttons.press("rollback", alias="champion", reason="", seen=3)
    assert (said["text"], said["is_error"]) == ("digits@champion: digits@1 now, digits@3 before.", False)
    assert said["code"].endswith("models.rollback('digits', 'champion')")
    (alias,) = buttons.model["aliases"]
    assert (alias["alias"], alias["version"]) == ("champion", 1)
    assert [(each["version"], each["how"], each["reason"]) for each in alias["moves"]] == [
        (1, "rolled back", ""),
        (3, "moved", ""),
        (1, "set", 'the "first"'),
    ]
    assert alias["moves"][0]["until"] == "now"
    assert [older["until"] for older in alias["moves"][1:]] == [newer["from"] for newer in alias["moves"][:-1]]
    assert all(each["seconds"] >= 0 for each in alias["moves"])


def test_whoever_moves_what_somebody_else_has_moved_is_told(buttons: Buttons) -> None:
    other = Buttons(Session(str(buttons.session.home)))
    assert not buttons.promote(1, seen=0)["is_error"]
    said = other.promote(2, seen=0)
    assert said["is_error"]
    assert said["text"].startswith("ConflictError: expected digits@champion to stand for no version still, received version 1")
    assert (said["code"], other.model["aliases"][0]["version"]) == ("", 1)
    other.session.close()


def test_archive_and_back(buttons: Buttons) -> None:
    said = buttons.press("archive", version=2, reason="worse")
    assert said["code"].endswith("models.archive('digits', 2, reason='worse')")
    assert [version["archived"] for version in buttons.model["versions"]] == [False, True, False]
    assert buttons.press("archive", version=2, undo=True)["code"].endswith("models.archive('digits', 2, undo=True)")
    assert [version["archived"] for version in buttons.model["versions"]] == [False] * 3
    buttons.promote(2, seen=0)
    assert buttons.press("archive", version=2, reason="")["text"].startswith("OptionError: expected a version that no alias")


def test_verify_tells_what_is_wrong(buttons: Buttons) -> None:
    assert buttons.press("verify", version=1)["text"] == "digits@1: the file is as it was registered."
    buttons.session.store.models.get("digits@1").path.write_bytes(b"weightz 1")
    said = buttons.press("verify", version=1)
    assert said["is_error"]
    assert "received a changed or damaged file" in said["text"]


def test_a_version_that_is_opened_is_shown_as_it_is_now(buttons: Buttons) -> None:
    said = buttons.press("open", version=2)
    assert (said["text"], said["code"].splitlines()[-1]) == ("digits@2 is below.", "jupyter_mltrain.models['digits@2']")
    opened = Page(buttons.shown["detail"]["html"])
    assert ["takes", "image (?, 8, 8) float32"] in opened.rows
    assert ["gives", "digit (?, 10) float32, <b> (1,) bool"] in opened.rows
    assert ["x.shape", "1437, 8, 8"] in opened.rows
    assert {row[0]: row[1] for row in opened.rows if row}["registered"].endswith("by ada")
    buttons.promote(2, seen=0)
    assert ["aliases", "champion"] in Page(buttons.shown["detail"]["html"]).rows
    buttons.press("compare", version=2, **{"with": 1})
    assert buttons.shown["detail"]["title"] == "digits@1 and digits@2"
    buttons.press("close")
    assert buttons.shown["detail"] is None


def test_the_code_does_what_the_button_did_whatever_the_reason(
    buttons: Buttons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = buttons.promote(2, seen=0, reason=HOSTILE)["code"]
    shown = buttons.model["aliases"][0]["moves"][0]["reason"]
    assert ("\\u202e" in shown, len(shown)) == (True, 300)
    make_registry(tmp_path / "elsewhere").close()
    monkeypatch.setattr("jupyter_mltrain.api.session._session_of_extension", lambda _: None)
    monkeypatch.setenv("MLTRAIN_HOME", str(tmp_path / "elsewhere"))
    exec(code, {})
    (move,) = Session(str(tmp_path / "elsewhere")).store.aliases.history("digits", "champion")
    assert (move.version, move.reason) == (2, HOSTILE)


def test_a_home_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "mltrain.db").mkdir()
    shown = RegistryState(Session(str(tmp_path))).snapshot()
    assert (shown["models"], shown["said"]["is_error"]) == ([], True)
    assert shown["said"]["text"].startswith("StoreError: expected to read and write")


def test_metrics_that_json_has_not_are_texts(buttons: Buttons) -> None:
    store = buttons.session.store
    run = store.runs.get("digits#1")
    file = run.folder / "best.keras"
    given = {"file": file, "run": run, "signature": store.models.get("digits").signature, "num_params": 1, "user": "ada"}
    store.models.register("digits", metrics={"loss": math.nan}, **given)
    assert buttons.model["versions"][0]["metrics"] == "loss nan"


def test_an_unknown_command_only_looks_again(buttons: Buttons) -> None:
    assert buttons.press("sync") == {"text": "", "code": "", "is_error": False}
    assert buttons.shown["num_commands"] == 1
