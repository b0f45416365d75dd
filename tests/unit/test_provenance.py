from waver import provenance


def test_seeds_depend_on_names_alone():
    assert provenance.seed_for(0, "adapt", "shot") == provenance.seed_for(0, "adapt", "shot")
    assert provenance.seed_for(0, "adapt", "shot") != provenance.seed_for(0, "adapt", "nrc")
    assert 0 <= provenance.seed_for("x") < 2**31
