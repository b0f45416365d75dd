"""Folds of the cross-validation: everybody once, alike in size, the same for all models."""

from collections import Counter
from itertools import combinations

import pytest

from waver.datasets.folds import folds_of, parts_of
from waver.errors import WaverError

PEOPLE = [f"{number}" for number in range(82553, 82553 + 168)]


@pytest.mark.parametrize("count", [2, 3, 5, 20])
def test_everybody_is_in_one_fold_and_sizes_differ_by_one(count):
    fold_of = folds_of([person for person in PEOPLE for _ in range(4)], count)
    assert sorted(fold_of) == PEOPLE
    sizes = Counter(fold_of.values())
    assert sorted(sizes) == list(range(count))
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_folds_depend_on_the_ids_alone():
    fold_of = folds_of(PEOPLE, 5)
    assert folds_of(reversed(PEOPLE), 5) == fold_of
    assert list(fold_of) != PEOPLE  # dealt out, not cut off in the order in which people were recorded
    assert max(Counter(fold_of[person] for person in PEOPLE[:30]).values()) < 15
    # known values: models trained at different times hold out the same people
    assert [folds_of(PEOPLE[:6], 3)[person] for person in PEOPLE[:6]] == [2, 1, 2, 0, 1, 0]


def test_neighbouring_numbers_are_held_out_together():
    people = [*PEOPLE[3:], *PEOPLE[:3], "9"]  # 9 comes before 82553, whatever letters say
    fold_of = folds_of(people, 5, "numbers")
    order = sorted(people, key=int)
    assert [fold_of[person] for person in order] == sorted(fold_of.values())
    sizes = Counter(fold_of.values())
    assert sorted(sizes) == list(range(5))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    with pytest.raises(WaverError, match=r"participant P07 has no number to make folds by; set train\.folding"):
        folds_of(["1", "2", "P07"], 2, "numbers")
    with pytest.raises(WaverError, match="do not fill 3 folds"):
        folds_of(["1", "2"], 3, "numbers")


def test_too_few_people_are_told():
    assert sorted(folds_of(["a", "b", "c"], 3).values()) == [0, 1, 2]
    with pytest.raises(WaverError, match=r"2 participants of train and val do not fill 3 folds; lower train\.folds"):
        folds_of(["a", "b", "a"], 3)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_nobody_is_judged_by_a_model_that_saw_them(count):
    fold_of = folds_of(PEOPLE, count)
    judged = []
    for number in range(count):
        learn, choose, judge = map(set, parts_of(fold_of, number, count))
        assert judge == {person for person, fold in fold_of.items() if fold == number}
        assert learn | choose | judge == set(PEOPLE)
        assert not judge & (learn | choose)
        assert learn
        assert choose
        assert (learn == choose) if count == 2 else not learn & choose
        judged += [*judge]
    assert sorted(judged) == PEOPLE


def test_every_fold_chooses_once():
    fold_of = folds_of(PEOPLE, 5)
    chosen = [set(parts_of(fold_of, number, 5)[1]) for number in range(5)]
    assert not any(a & b for a, b in combinations(chosen, 2))
    assert set().union(*chosen) == set(PEOPLE)
