import base64
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

from waver.config.sections import EvaluateConfig
from waver.datasets.consent import Consent
from waver.errors import WaverError
from waver.evaluation.comparisons import COMPARISONS
from waver.evaluation.decomposition import DECOMPOSITION
from waver.evaluation.reliability import CALIBRATION
from waver.io.tables import PARTICIPANTS, SCORES, SEGMENTS, VIDEOS, read_table, write_table
from waver.report import build as page_module
from waver.report.build import render_report
from waver.report.consent_gate import Gate
from waver.report.data import load
from waver.report.formatting import score
from waver.report.personalisation import personalisation
from waver.report.tables.control_of_people import control_of_people
from waver.report.tables.results import published_tables, results
from waver.report.text.facts import guard

CONTROLS = ("All negative", "All positive", "Question prior", "ontent-free control")


@pytest.fixture(scope="session")
def rendered(made, report_config):
    render_report(made.inputs, report_config, "demo", True, made.folder / "report.html", made.folder / "figures")
    return (made.folder / "report.html").read_text(), made.folder / "figures"


@pytest.fixture(scope="session")
def bare(made):
    """Inputs without scores and training: what shows people is all there is to draw."""
    write_table(made.folder / "no_scores.parquet", [], SCORES)
    empty = {"scores": made.folder / "no_scores.parquet"}
    for name, schema in (("comparisons", COMPARISONS), ("calibration", CALIBRATION), ("decomposition", DECOMPOSITION)):
        empty[name] = made.folder / f"no_{name}.parquet"
        write_table(empty[name], [], schema)
    return replace(made.inputs, histories={}, **empty)


def pictures(text):
    for encoded in re.findall(r"base64,([A-Za-z0-9+/=\s]+)", text):
        data = np.frombuffer(base64.b64decode(encoded), np.uint8)
        yield cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def has_colour(text, colour):
    near = [np.abs(picture.astype(int) - colour).max(-1) < 40 for picture in pictures(text)]
    return any(pixels.any() for pixels in near)


@pytest.mark.slow
def test_canaries_appear_nowhere(rendered, canaries):
    html, figures = rendered
    files = [path.read_text() for path in figures.iterdir()]
    assert len(files) >= 6
    for text in (html, *files):
        visible = re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", text)
        for participant in (*canaries.withheld, "90001"):
            assert not re.search(rf"(?<![\w.]){participant}(?![A-Za-z0-9])", visible), participant
        assert canaries.word not in visible
        assert "forty geese" not in visible
        assert "holiday" not in visible
        assert not has_colour(text, canaries.colour)
    # the same search does find what may be shown: a face's colour, a word, a pseudonym
    assert has_colour(html, (206, 172, 148))
    assert "again" in html
    assert re.search(r"P-[A-Z2-7]{5}, question \d", html)


@pytest.mark.slow
def test_cues_have_a_section_where_the_annotators_name_any(bare, rendered, report_config, tmp_path):
    assert 'id="cues"' not in rendered[0]
    named = {"certainty": 2, "cue_names": ["facial: Smile", "inconsistencies: FL"], "start_frame": 0, "end_frame": 24}
    rows = [{"video": row["video"], "segment": 0, **named} for row in read_table(bare.videos, VIDEOS)]
    write_table(tmp_path / "segments.parquet", rows, SEGMENTS)
    inputs = replace(bare, segments=tmp_path / "segments.parquet")
    written = [tmp_path / name for name in ("report.html", "figures", "data_card.md", "croissant.json")]
    render_report(inputs, report_config, "demo", True, *written)
    html = written[0].read_text()
    assert '<a href="#cues">Cues</a>' in html
    assert "face and words" in html
    assert all(path.exists() for path in written)
    assert {"cues.svg", "conflict.svg", "people.svg", "answers.svg", "segments.svg"} <= {
        path.name for path in written[1].iterdir()
    }


@pytest.mark.slow
def test_canaries_are_found_once_they_consent(bare, canaries, report_config, tmp_path):
    rows = read_table(bare.participants, PARTICIPANTS)
    requested = [{**row, "consent_publication": row["participant"] == "82017"} for row in rows]
    write_table(tmp_path / "participants.parquet", requested, PARTICIPANTS)
    inputs = replace(bare, participants=tmp_path / "participants.parquet")
    render_report(inputs, report_config, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    html = (tmp_path / "report.html").read_text()
    assert canaries.word in html
    assert has_colour(html, canaries.colour)


@pytest.mark.slow
def test_no_timeline_without_consent(bare, report_config, tmp_path):
    rows = [{**row, "consent_publication": False} for row in read_table(bare.participants, PARTICIPANTS)]
    write_table(tmp_path / "participants.parquet", rows, PARTICIPANTS)
    inputs = replace(bare, participants=tmp_path / "participants.parquet")
    render_report(inputs, report_config, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    html = (tmp_path / "report.html").read_text()
    assert "No video is shown" in html
    assert not list(pictures(html))
    assert not (tmp_path / "figures" / "timeline.svg").exists()
    named = report_config.model_copy(
        update={"report": report_config.report.model_copy(update={"timeline": "82018_Q2"})}
    )
    render_report(inputs, named, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    assert "82018" not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_a_leak_leaves_no_page_behind(bare, canaries, report_config, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "languages", lambda material: f"spoken by {canaries.withheld[0]}")
    with pytest.raises(WaverError, match="would name"):
        render_report(bare, report_config, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    assert not (tmp_path / "report.html").exists()
    assert not list((tmp_path / "figures").iterdir())


def test_the_page_begins_with_a_table_in_the_words_of_menu_and_headings(rendered):
    html, _ = rendered
    header = html[html.index("<header>") : html.index("</header>")]
    assert header.index("<table") < header.index('<ul class="sentences">')
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', header)
    assert heads == ["Level", "Best method", "AVGF1", "Control", "Difference", "Verdict"]
    rows = re.findall(r'<th scope="row"><a href="#(\w+)">([^<,]+)', header)
    assert 1 <= len(rows) <= 6
    menu = dict(re.findall(r'<a href="#(\w+)">(.*?)</a>', html[html.index("<nav") : html.index("</nav>")]))
    assert set(rows) <= set(menu.items())
    assert list(menu.items()) == re.findall(r'<section id="(\w+)"><h2>(.*?)</h2>', html)
    assert "Control" in menu.values()
    assert "validation split" in header  # how the best method was chosen


def test_it_needs_nothing_else(rendered):
    html, _ = rendered
    loaded = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", html)
    assert {link[:1] for link in loaded} <= {"#", "d"}
    assert not re.search(r"(?:src|href)=.https?:", re.sub(r'xmlns[:\w]*="[^"]*"', "", html))
    assert "default-src 'none'" in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert all(f'id="{target}"' in html for target in re.findall(r'href="#([^"]+)"', html))


def test_every_results_table_has_its_controls(rendered):
    html, _ = rendered
    tables = re.findall(r'<table class="scores.*?</table>', html, re.DOTALL)
    assert len(tables) >= 8  # test and val of both levels, participants, two protocols with their pooled frames
    people = [table for table in tables if '<th scope="col">Participant' in table]
    single = [table for table in people if "Mean of all participants" in table]
    assert len(single) == 8  # four scores of two protocols
    assert all("Content-free control</th>" in table and "All negative</th>" in table for table in single)
    # three of the nine may not be shown, and with two more they are as many as a mean may be told of
    assert all(len(re.findall(r'<th scope="row">P-[A-Z2-7]{5}<', table)) == 4 for table in people)
    gains = [table for table in tables if "minus the same network without adaptation" in table]
    assert len(gains) == 2
    assert all(re.search(r"\d+ of \d+ higher", table) for table in gains)
    done = [table for table in tables if "Optimiser steps" in table]
    assert len(done) == 2
    for table in (table for table in tables if table not in [*gains, *people, *done]):
        assert all(control in table for control in CONTROLS)
        controls = table[table.index('<tbody class="controls">') :]
        assert "best" not in controls
        # what compares with the papers: the single seeds' mean, or of differences that they are of averaged seeds
        caption = table[: table.index("</caption>")]
        assert "published score is of one model" in caption or "minus the" in caption
        assert "averaged" in caption
    assert "nan" not in re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", html).lower().split()


@pytest.mark.slow
def test_single_participants_stand_beside_the_control_on_their_own_frames(made, report_config):
    material = load(made.inputs, report_config, "demo", True)
    names = {"level": "participant", "split": "test", "group": "all", "method": "content_free"}
    for protocol in ("block", "frame_random"):
        found = control_of_people(material, protocol, "test")
        for metric in ("AVGF1", "F1", "WF1", "AP_paper"):
            wanted = {**names, "protocol": protocol, "metric": metric}
            (row,) = [row for row in material.scores if all(row[key] == value for key, value in wanted.items())]
            assert np.mean([one[metric] for one in found.values()]) == pytest.approx(row["value"], abs=1e-9)
            assert len(found) == row["participants"]
    assert control_of_people(material, "video", "test") == control_of_people(material, "block", "cv") == {}


@pytest.mark.slow
def test_the_chapter_says_what_neighbouring_numbers_mean_where_people_are_real(made, report_config, tmp_path):
    material = load(made.inputs, report_config, "x", False)
    values = {
        row["method"]: row["value"] for row in material.scores
        if (row["level"], row["protocol"], row["metric"], row["group"]) == ("participant", "block", "AVGF1", "all")
    }  # fmt: skip
    nobody = Gate(Consent(), b"secret", {})
    notes = [one.note for one in personalisation(material, nobody, tmp_path)]
    actual = f"AVGF1 of {score(values['neighbours'])}, without that knowledge {score(values['content_free'])}."
    assert actual in notes[0]
    synthetic = replace(material, demo=True)
    assert not any("one after the other" in one.note for one in personalisation(synthetic, nobody, tmp_path))


def test_best_leaves_out_controls_and_the_oracle(made):
    scores = read_table(made.inputs.scores, SCORES)
    for protocol in ("block", "frame_random"):
        table = results(scores, "participant", "test", protocol)
        best = {row.name for row in table.methods for cell in row.cells if cell.best}
        assert "Oracle V" not in best
        assert best
        assert (table.heads[:2], table.methods[0].cells[0].text) == (("Network", "AVGF1"), "bottleneck")
        assert "sd ." in table.methods[0].cells[1].below
        assert not any(cell.best for row in table.controls for cell in row.cells)


def test_the_claim_of_blocks_is_that_of_the_records(made, rendered, report_config):
    text = " ".join(rendered[0].replace("&#39;", "'").split())
    claim = text[text.index("with at least 4.2 s between them") :].split(". ")[0]
    assert "a word's vector sees its whole sentence" in claim
    assert "leak-free" not in text
    material = load(made.inputs, report_config, "demo", True)
    bounded = guard(replace(material, adapted=[{"protocol": "frame_random"}, {"guard_s": 1.0, "beyond": []}]))
    assert bounded.startswith(", with at least 1.0 s between them")
    assert "except" not in bounded
    assert guard(replace(material, adapted=[])) == ""


@pytest.mark.slow
def test_demo_is_announced_and_real_runs_are_not(bare, rendered, report_config, tmp_path):
    assert "participants are synthetic" in rendered[0]
    render_report(bare, report_config, "bah300", False, tmp_path / "report.html", tmp_path / "figures")
    assert "participants are synthetic" not in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_same_inputs_same_bytes(made, rendered, report_config, tmp_path):
    render_report(made.inputs, report_config, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    assert (tmp_path / "report.html").read_text() == rendered[0]


def test_small_groups_show_no_score(rendered):
    drawn = (rendered[1] / "groups-frame.svg").read_text()
    assert "too few people here or elsewhere (under 5)" in drawn
    assert "language: French" in drawn
    assert not re.search(r"\b\d+ people<", drawn)


@pytest.mark.slow
def test_a_page_on_which_no_score_may_be_shown(made, report_config, tmp_path):
    hidden = [{**row, "value": None, "low": None, "high": None, "positives": None, "predicted_positives": None}
              for row in read_table(made.inputs.scores, SCORES)]  # fmt: skip
    write_table(tmp_path / "scores.parquet", hidden, SCORES)
    for name, schema in (("comparisons", COMPARISONS), ("calibration", CALIBRATION), ("decomposition", DECOMPOSITION)):
        write_table(tmp_path / f"{name}.parquet", [], schema)
    files = {name: tmp_path / f"{name}.parquet" for name in ("scores", "comparisons", "calibration", "decomposition")}
    inputs = replace(made.inputs, **files)
    least = report_config.model_copy(update={"evaluate": EvaluateConfig(least_group=50)})
    render_report(inputs, least, "demo", True, tmp_path / "report.html", tmp_path / "figures")
    html = (tmp_path / "report.html").read_text()
    assert "No method was scored" in html
    assert "fewer than 50 people are withheld" in html
    counts = html[html.index("Videos used, by split") : html.index("</table>", html.index("Videos used, by split"))]
    assert "%" not in counts
    assert "<dt>of frames with A/H</dt>" not in html


def test_exclusions_are_complete_and_name_few(rendered):
    html, _ = rendered
    section = html[html.index('id="excluded"') : html.index('id="costs"')]
    assert "9 items were excluded" in section
    assert "the video file cannot be opened<small>" in section
    assert "copy the file again from its source" in section
    assert "2 items of participants who did not consent to publication" in section
    assert "2 items of no known participant" in section
    for text in (".mp4", "/data/raw", "no labels for", "no face in", "82020", "Balthasara", "zanzibarine"):
        assert text not in section
    assert "annotation 1 frames shorter than the video" in section
    assert "decoder=pyav (cut short)" in html


def test_published_tables_stand_beside_each_level(rendered):
    html, _ = rendered
    for level in ("frame", "video", "participant"):
        for table in published_tables(level):
            assert table.source in html
    assert html.count("= all-positive") >= 4
