"""What every store promises of aliases and archived versions; a test module gives the fixture `store`."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest
from store_contract import HOSTILE
from store_samples import move, register, train

from jupyter_mltrain.domain.alias import AliasMove
from jupyter_mltrain.domain.errors import ConflictError, OptionError, UnknownNameError
from jupyter_mltrain.store.store import Store


@pytest.fixture
def three(store: Store) -> Store:
    """A store with three versions of `digits`."""
    run = train(store)
    for _ in range(3):
        register(store, run)
    return store


def back(store: Store, alias: str = "champion") -> AliasMove:
    seen = store.aliases.standing("digits")["digits"].get(alias)
    return store.aliases.roll_back("digits", alias, seen=seen, reason="slow", user="bob")


def stood(store: Store, alias: str = "champion") -> list[int | None]:
    return [each.version for each in store.aliases.history("digits", alias)]


class AliasStoreContract:
    def test_an_alias_names_a_version_wherever_a_version_is_named(self, three: Store) -> None:
        before = datetime.now(UTC)
        made = move(three, 2, reason="fewer errors")
        assert (made.ref, made.number, made.version, made.before) == ("digits@champion", 1, 2, None)
        assert (made.user, made.reason, made.is_rollback, made.until) == ("ada", "fewer errors", False, None)
        assert before <= made.moved_at <= datetime.now(UTC)
        version = three.models.get("digits@champion")
        assert (version.ref, version.aliases) == ("digits@2", ("champion",))
        assert version == three.models.get("digits@2")
        assert three.models.get("digits").ref == "digits@3"

    def test_a_version_may_have_several_aliases_and_an_alias_one_version(self, three: Store) -> None:
        move(three, 1, "staging")
        move(three, 1, "champion")
        assert three.models.get("digits@1").aliases == ("champion", "staging")
        move(three, 3, "champion")
        assert [version.aliases for version in three.models.list("digits")] == [("champion",), (), ("staging",)]
        assert three.aliases.standing() == {"digits": {"champion": 3, "staging": 1}}
        assert [version.aliases for version in three.models.list()] == [("champion",)]

    def test_the_timeline_has_every_move_and_no_gap(self, three: Store) -> None:
        for version in (1, 2, 3):
            move(three, version, reason=f"because {version}")
        move(three, 1, "staging")
        history = three.aliases.history("digits", "champion")
        assert [(each.number, each.before, each.version, each.reason) for each in history] == [
            (1, None, 1, "because 1"),
            (2, 1, 2, "because 2"),
            (3, 2, 3, "because 3"),
        ]
        assert [each.until for each in history] == [history[1].moved_at, history[2].moved_at, None]
        assert [each.alias for each in three.aliases.history("digits")] == ["champion"] * 3 + ["staging"]

    def test_a_move_to_where_the_alias_is_writes_nothing(self, three: Store) -> None:
        first = move(three, 2)
        assert move(three, 2, reason="again") == first
        assert three.aliases.history("digits") == (first,)

    def test_rolling_back_goes_further_back_each_time(self, three: Store) -> None:
        for version in (1, 2, 3):
            move(three, version)
        assert [back(three).version for _ in range(2)] == [2, 1]
        assert (back(three).version, three.aliases.standing()) == (None, {})
        assert [each.is_rollback for each in three.aliases.history("digits")] == [False] * 3 + [True] * 3
        with pytest.raises(UnknownNameError):
            three.models.get("digits@champion")
        with pytest.raises(UnknownNameError, match="no alias of digits named 'champion': there is none yet"):
            back(three)
        move(three, 3)
        assert (back(three).version, stood(three)) == (None, [1, 2, 3, 2, 1, None, 3, None])

    def test_after_a_rollback_a_new_move_is_what_is_rolled_back(self, three: Store) -> None:
        for version in (1, 2):
            move(three, version)
        back(three)
        move(three, 3)
        assert back(three).version == 1
        assert stood(three) == [1, 2, 1, 3, 1]

    def test_a_mover_who_saw_something_else_is_told_and_moves_nothing(self, three: Store) -> None:
        move(three, 1)
        move(three, 2)
        for seen in (None, 1, 3):
            with pytest.raises(ConflictError, match=r"received version 2, moved by ada: look at %models history digits champion"):
                three.aliases.move("digits", "champion", 3, seen=seen, reason="", user="bob")
            with pytest.raises(ConflictError, match=r"to stand for (no version|version [13]) still"):
                three.aliases.roll_back("digits", "champion", seen=seen, reason="", user="bob")
        with pytest.raises(ConflictError, match="expected digits@staging to stand for version 1 still, received no version:"):
            three.aliases.move("digits", "staging", 3, seen=1, reason="", user="bob")
        assert stood(three) == [1, 2]

    def test_what_an_alias_stands_for_cannot_be_archived(self, three: Store) -> None:
        move(three, 3)
        with pytest.raises(OptionError, match="received digits@3, which is champion: move that first"):
            three.models.archive("digits", 3, reason="", user="ada")
        assert three.models.get("digits@3").archived is None
        back(three)
        assert three.models.archive("digits", 3, reason="", user="ada").archived is not None

    def test_an_archived_version_is_passed_over_and_loads_by_its_number(self, three: Store) -> None:
        before = datetime.now(UTC)
        archived = three.models.archive("digits", 3, reason="wrong labels", user="ada")
        assert archived.archived is not None
        assert before <= archived.archived.at <= datetime.now(UTC)
        assert (archived.archived.user, archived.archived.reason) == ("ada", "wrong labels")
        assert three.models.archive("digits", 3, reason="again", user="bob") == archived == three.models.get("digits@3")
        assert three.models.get("digits").ref == "digits@2"
        assert [version.ref for version in three.models.list()] == ["digits@2"]
        assert [version.ref for version in three.models.list("digits")] == ["digits@3", "digits@2", "digits@1"]
        with pytest.raises(OptionError, match="received digits@3, which is archived: %models archive digits 3 --undo takes"):
            move(three, 3)
        assert three.models.unarchive("digits", 3).archived is None
        assert move(three, 3).version == 3

    def test_no_alias_goes_back_to_an_archived_version(self, three: Store) -> None:
        move(three, 1)
        move(three, 2)
        three.models.archive("digits", 1, reason="", user="ada")
        with pytest.raises(OptionError, match="received digits@1, which is archived"):
            back(three)
        assert stood(three) == [1, 2]

    def test_a_model_whose_versions_are_all_archived_is_in_no_list(self, three: Store) -> None:
        for version in (1, 2, 3):
            three.models.archive("digits", version, reason="", user="ada")
        assert three.models.list() == ()
        with pytest.raises(UnknownNameError, match=r"no model named 'digits': did you mean digits@3 or digits@2 or digits@1\?"):
            three.models.get("digits")
        assert register(three, train(three)).ref == "digits@4"
        assert three.models.get("digits").ref == "digits@4"

    def test_unknown_models_versions_and_aliases_suggest_near_ones(self, three: Store) -> None:
        move(three, 1)
        with pytest.raises(UnknownNameError, match=r"no model named 'digits@champoin': did you mean digits@champion\?"):
            three.models.get("digits@champoin")
        with pytest.raises(UnknownNameError, match=r"no alias of digits named 'champoin': did you mean champion\?"):
            three.aliases.history("digits", "champoin")
        with pytest.raises(UnknownNameError, match=r"no model named 'digts': did you mean digits\?"):
            three.aliases.history("digts")
        with pytest.raises(UnknownNameError, match=r"no model named 'digits@9': did you mean"):
            three.aliases.move("digits", "champion", 9, seen=1, reason="", user="ada")
        with pytest.raises(UnknownNameError, match=r"no model named 'digits@9': did you mean"):
            three.models.archive("digits", 9, reason="", user="ada")
        with pytest.raises(UnknownNameError):
            three.models.unarchive("digts", 1)
        assert (three.aliases.history("digits", "champion")[-1].version, three.aliases.standing("tabular")) == (
            1,
            {"tabular": {}},
        )

    @pytest.mark.parametrize("alias", ["", "3", "3rd", "a b", "a@b", "é", "a\x00", "-x", "x" * 101])
    def test_an_alias_that_could_be_a_number_or_is_no_name_is_refused(self, three: Store, alias: str) -> None:
        with pytest.raises(OptionError, match="expected an alias of 1 to 100 letters"):
            move(three, 1, alias)
        assert three.aliases.history("digits") == ()

    @pytest.mark.parametrize("text", HOSTILE)
    def test_any_reason_comes_back_as_it_was(self, three: Store, text: str) -> None:
        assert move(three, 1, reason=text).reason == text
        assert three.aliases.history("digits", "champion")[0].reason == text

    def test_a_clock_that_goes_back_makes_no_overlap(self, three: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        first = move(three, 1)

        class Earlier(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return datetime(2020, 1, 1, tzinfo=UTC)

        monkeypatch.setattr("jupyter_mltrain.store.alias_store.datetime", Earlier)  # the system's clock cannot be set here
        assert move(three, 2).moved_at == first.moved_at

    def test_aliases_of_other_models_are_their_own(self, three: Store) -> None:
        register(three, train(three), "tabular")
        move(three, 2)
        move(three, 1, model="tabular")
        assert three.aliases.standing() == {"digits": {"champion": 2}, "tabular": {"champion": 1}}
        assert [each.ref for each in three.aliases.history("tabular")] == ["tabular@champion"]
        assert {version.ref: version.aliases for version in three.models.list()} == {
            "tabular@1": ("champion",),
            "digits@3": (),
        }

    def test_many_moves_are_undone_one_by_one(self, three: Store) -> None:
        numbers = [1 + secrets.randbelow(3) for _ in range(60)]
        moved = [version for version, last in zip(numbers, [None, *numbers], strict=False) if version != last]
        for version in numbers:
            move(three, version)
        assert stood(three) == moved
        for number in range(len(moved) - 1, 0, -1):
            assert back(three).version == moved[number - 1]
