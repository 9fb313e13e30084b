from __future__ import annotations

from jupyter_mltrain.domain.comparison import Layer, pair_layers


def layers(*described: str) -> list[Layer]:
    """Return layers from `Dense 32`."""
    made = (text.partition(" ") for text in described)
    return [Layer(kind=kind, settings={"units": units} if units else {}) for kind, _, units in made]


def told(before: list[Layer], after: list[Layer]) -> list[tuple[str, bool, bool, dict[str, tuple[str | None, str | None]]]]:
    pairs = pair_layers(before, after)
    return [(pair.kind, pair.before is not None, pair.after is not None, dict(pair.changes)) for pair in pairs]


def test_layers_of_one_kind_meet_and_tell_what_changed() -> None:
    assert told(layers("Dense 32", "Dense 10"), layers("Dense 64", "Dense 10")) == [
        ("Dense", True, True, {"units": ("32", "64")}),
        ("Dense", True, True, {}),
    ]


def test_an_inserted_layer_leaves_those_around_it_paired() -> None:
    before, after = layers("Input", "Dense 32", "Dense 10"), layers("Input", "Dense 32", "Dropout", "Dense 10")
    assert told(before, after) == [
        ("Input", True, True, {}),
        ("Dense", True, True, {}),
        ("Dropout", False, True, {}),
        ("Dense", True, True, {}),
    ]
    assert [pair[1:3] for pair in told(after, before)] == [(True, True), (True, True), (True, False), (True, True)]


def test_a_layer_in_place_of_another_kind_is_one_removed_and_one_added() -> None:
    assert told(layers("LSTM 8", "Dense 1"), layers("GRU 8", "Dense 1")) == [
        ("LSTM", True, False, {"units": ("8", None)}),
        ("GRU", False, True, {"units": (None, "8")}),
        ("Dense", True, True, {}),
    ]


def test_nothing_against_something() -> None:
    assert told([], layers("Dense 1")) == [("Dense", False, True, {"units": (None, "1")})]
    assert told([], []) == []
