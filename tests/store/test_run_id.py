from __future__ import annotations

import random
import time

import numpy as np

from jupyter_mltrain.store.run_id import new_run_id


def test_ids_are_of_the_alphabet_and_sort_by_time() -> None:
    ids = []
    for _ in range(20):
        ids.append(new_run_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert {len(run_id) for run_id in ids} == {12}
    assert set("".join(ids)) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_an_id_holds_the_millisecond_of_its_making() -> None:
    before = time.time_ns() // 1_000_000
    digits = ["0123456789abcdefghjkmnpqrstvwxyz".index(letter) for letter in new_run_id()]
    made = sum(digit << 5 * place for place, digit in enumerate(reversed(digits))) >> 18
    assert before <= made <= time.time_ns() // 1_000_000


def test_the_users_generators_do_not_move() -> None:
    python, numpy = random.getstate(), np.random.get_state()[1].tolist()
    new_run_id()
    assert random.getstate() == python
    assert np.random.get_state()[1].tolist() == numpy
