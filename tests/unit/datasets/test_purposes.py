"""A run for a challenge knows nothing of people who did not allow it."""

from __future__ import annotations

import pytest
from bah_tree import person

from waver.errors import WaverError
from waver.io.tables import VIDEOS, read_table

OF_PEOPLE = ("participants", "videos", "answers", "segments", "transcripts")


@pytest.mark.parametrize("answer", ["No", "", "perhaps"])
def test_who_did_not_allow_challenges_is_in_no_table_but_that_of_exclusions(run, release, clip, tmp_path, answer):
    release.metadata["82568"] = person(challenge=answer)
    root = release.write(tmp_path / "root", clip)
    everybody = run(root)
    allowed = run(root, purpose="challenge")
    for name in OF_PEOPLE:
        kept = [row for row in everybody[name] if not str(row.get("participant", row.get("video"))).startswith("82568")]
        assert allowed[name] == kept
        assert len(kept) < len(everybody[name])
    for path in (tmp_path / "out/shards").glob("*.videos.parquet"):
        assert all(row["participant"] != "82568" for row in read_table(path, VIDEOS))
    refused = [row for row in allowed["set_aside"] if row["reason"] == "no consent to use in challenges"]
    assert [row["participant"] for row in refused] == ["82568"]


def test_publication_is_another_question(run, release, clip, tmp_path):
    release.metadata["82568"] = person(publication="No")
    found = run(release.write(tmp_path / "root", clip), purpose="challenge")
    assert [row["consent_publication"] for row in found["participants"]] == [True, False, True]


def test_where_nobody_allowed_it_the_run_ends(run, release, clip, tmp_path):
    release.metadata = {who: person(challenge="No") for who in release.metadata}
    with pytest.raises(WaverError, match=r"set dataset\.purpose to research"):
        run(release.write(tmp_path / "root", clip), purpose="challenge")
