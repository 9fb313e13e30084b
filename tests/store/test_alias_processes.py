"""Several processes that move aliases of one home at the same moment."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from store_samples import move, register, train
from store_writers import archive_or_promote, at_once, move_seen_at_one, move_until_done

from jupyter_mltrain.store.store import Store


def test_of_eight_who_move_an_alias_at_once_one_wins_and_the_others_are_told(home: Path) -> None:
    store = Store(home)
    run = train(store)
    for _ in range(9):
        register(store, run)
    move(store, 1)
    told = at_once(move_seen_at_one, home, list(range(2, 10)))
    winners = [version for version, said in told if said == "moved"]
    assert len(winners) == 1
    history = store.aliases.history("digits", "champion")
    assert [each.version for each in history] == [1, winners[0]]
    for _, said in told:
        assert said == "moved" or said.startswith(
            f"expected digits@champion to stand for version 1 still, received version {winners[0]}, moved by process"
        )


def test_whoever_looks_again_and_moves_again_gets_there_and_no_move_is_lost(home: Path) -> None:
    store = Store(home)
    run = train(store)
    for _ in range(3):
        register(store, run)
    moved = sum(at_once(move_until_done, home, 5))
    history = store.aliases.history("digits", "champion")
    assert len(history) == moved == 40
    assert [each.number for each in history] == list(range(1, 41))
    assert [each.before for each in history] == [None, *(each.version for each in history[:-1])]
    assert all(one.until == other.moved_at for one, other in pairwise(history))


def test_a_version_is_never_both_archived_and_an_aliass(home: Path) -> None:
    store = Store(home)
    run = train(store)
    for _ in range(20):
        register(store, run)
    at_once(archive_or_promote, home, 20)
    held = store.aliases.standing("digits")["digits"]
    archived = {version.version for version in store.models.list("digits") if version.archived}
    assert len(archived) + len(held) == 20
    assert archived.isdisjoint(held.values())
