from collections import Counter

import pytest

from waver.datasets.sharding import shard_of

PEOPLE = [str(number) for number in range(82553, 82921)]


def test_names_never_change():
    assert [shard_of(one, 32) for one in ("82553", "82554", "82920", "anna")] == ["017", "005", "012", "005"]


@pytest.mark.parametrize("shards", [1, 4, 8, 32, 64, 999])
def test_only_shards_that_exist(shards):
    names = {shard_of(one, shards) for one in [*PEOPLE, "anna", "0", "9" * 30]}
    assert names <= {f"{number:03d}" for number in range(shards)}


@pytest.mark.parametrize("step", [1, 2, 7, 10])
def test_shards_are_about_equal(step):
    counts = Counter(shard_of(one, 8) for one in PEOPLE[::step])
    mean = len(PEOPLE[::step]) / 8
    assert len(counts) == 8
    assert max(counts.values()) <= mean + 3


def test_no_shard_holds_nobody():
    with pytest.raises(ValueError, match="0 shards"):
        shard_of("1", 0)
