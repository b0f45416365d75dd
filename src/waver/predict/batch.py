"""All recordings of one call: person by person, each finished and written before the next begins."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from waver.datasets.exclusions import Row, exclusion_row
from waver.device import torch_device
from waver.errors import WaverError, is_machine_trouble, trouble_sentence
from waver.io.freed_memory import return_freed_memory
from waver.io.lock import exclusive
from waver.io.tables import SET_ASIDE, TRANSCRIPTS, VIDEOS, read_table
from waver.predict.finished import Finished, read_finished, write_finished
from waver.predict.given import LINKS, Given, with_ids
from waver.predict.given_checks import corrected_before, in_ids, longer_transcripts, of_known_questions, still_there
from waver.predict.inputs import participant_id, read_inputs, write_data_set
from waver.predict.judge import judge, usable
from waver.predict.methods import NONE
from waver.predict.model_folder import RECORD, load_model_folder
from waver.predict.options import Options
from waver.predict.outputs import index_row, summary_row, write_run_record, write_set_aside, write_summary
from waver.predict.progress import Progress, in_words
from waver.predict.result import RecordingResult
from waver.predict.result_files import write_annotations, write_frames, write_segments
from waver.predict.sentences import about_model, about_recording, closing
from waver.predict.steps import Steps, fingerprints, ingest_recordings
from waver.predict.trained import Trained, load_trained
from waver.predict.viewer.page import About, write_index, write_page
from waver.provenance import digest, file_sha256
from waver.registry import ADAPTATIONS, FUSIONS
from waver.workflow.environment import READY
from waver.workflow.fingerprint import code_version

log = logging.getLogger(__name__)


def predict_all(options: Options) -> int:
    """Predict what is missing, and write what there is of all recordings of the output folder.

    Returns:
        0; 2 where something was set aside.

    Raises:
        WaverError: the model or the folder cannot be used, or the machine has no room.
    """
    if (options.model / RECORD).is_file() and options.out.is_relative_to(os.path.abspath(options.model)):
        raise WaverError(f"--out {options.out} is in the folder of the model, which is to be handed over; give another")
    return_freed_memory()
    work = options.out / "work"
    work.mkdir(parents=True, exist_ok=True)
    form = "%(asctime)s %(name)s %(levelname)s %(message)s"
    logging.basicConfig(filename=work / "predict.log", level=logging.INFO, format=form, force=True)
    logging.captureWarnings(True)
    waits = logging.getLogger(exclusive.__module__)
    if not waits.handlers:  # whoever calls twice is told why nothing happens
        waits.addHandler(logging.StreamHandler())
    if not READY.is_dir():  # without what ``make setup`` compiles, it would take a quarter of a minute in every call
        os.environ["NUMBA_CACHE_DIR"] = str(work / "compiled")
    torch_device()  # that a GPU is asked for and not there is said before any work is done
    try:
        with exclusive(work / "predict.lock"):
            return _Batch(options, work).run()
    except (OSError, MemoryError, RuntimeError) as error:
        if not is_machine_trouble(error) and not isinstance(error, PermissionError):
            raise
        log.exception("the machine stopped it")
        raise WaverError(trouble_sentence(error)) from error


def _load(options: Options) -> Trained:
    if not (options.model / RECORD).is_file():
        return load_trained(options.model, options.method, options.seed)
    handed = load_model_folder(options.model).trained
    if options.method not in ("", handed.name.rpartition("/")[0]):
        raise WaverError(f"{options.model} holds {handed.name} and not {options.method}; leave --method out")
    return handed


class _Batch:
    """One call: what it is given, and what it has found out so far."""

    def __init__(self, options: Options, work: Path) -> None:
        self.options, self.out, self.work = options, options.out, work
        self.trained = _load(options)
        self.about = About(self.trained.name, self.trained.sha256[:12])
        self.features = self.trained.preparation.needed(self.trained.checkpoint.modalities)
        self.set_aside: list[Row] = []
        self.videos: dict[str, Row] = {}
        self.spoken: dict[str, list[Row]] = {}
        self.names: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.progress = Progress(0, 0.0)

    def run(self) -> int:
        """See ``predict_all``."""
        started = time.time()
        sys.stderr.write(about_model(self.trained) + "\n")
        rows = [row for own in self._people(self._recordings()) for row in self._person(own)]
        rows.sort(key=lambda row: str(row["recording"]))
        self.files |= write_summary(rows, self.out) | write_set_aside(self.set_aside, self.out)
        index = write_index(map(index_row, rows), self.out, self.about)
        self.files[index.name] = file_sha256(index)
        write_run_record(self.options, self.trained, self.features, self.files, started)
        sys.stdout.writelines(f"{about_recording(row)}\n" for row in rows)
        sys.stdout.writelines(f"{line}\n" for line in closing(self.set_aside, self.names, self.out))
        return 2 if self.set_aside else 0

    def _recordings(self) -> list[Steps]:
        """The recordings that can be read, as jobs; what cannot is set aside."""
        options = self.options
        known = Given(Path(), participant_id(options.participant), options.question, options.language)
        known = replace(known, taken_back=options.taken_back)
        given = with_ids(read_inputs(options.inputs, known, self.set_aside), self.out)
        self.names = {one.recording: one.file.name for one in given}
        given = of_known_questions(still_there(given, self.set_aside), self.trained.questions, self.set_aside)
        if not options.words:
            given = [replace(one, transcript=None) for one in given]
        if not given:
            return []
        root = self.out / LINKS
        spoken = write_data_set(given, root, self.trained.questions, options.transcripts, self.set_aside)
        ingest_recordings(root, self.work)
        self.set_aside += in_ids(read_table(self.work / "ingest/set_aside.parquet", SET_ASIDE), given)
        for row in read_table(self.work / "ingest/videos.parquet", VIDEOS):
            self.videos[row["video"]] = row
        for row in read_table(self.work / "ingest/transcripts.parquet", TRANSCRIPTS):
            self.spoken.setdefault(row["video"], []).append(row)
        self.set_aside += longer_transcripts(self.videos, self.spoken)
        self.progress = Progress(len(self.videos), sum(row["duration_s"] for row in self.videos.values()))
        recognised = set(self.videos) - spoken if options.words and options.recognise else set()
        return [
            Steps(video, root, self.work, self.trained.preparation, self.features, video in recognised)
            for video in sorted(self.videos)
        ]

    def _people(self, recordings: Sequence[Steps]) -> Iterator[list[Steps]]:
        """What is judged together: the recordings of a person, and without personalisation each by itself."""
        if self.options.personalise == NONE:
            yield from ([one] for one in recordings)
            return
        for _, own in groupby(sorted(recordings, key=self._owner), self._owner):
            yield list(own)

    def _owner(self, one: Steps) -> str:
        return str(self.videos[one.recording]["participant"])

    def _person(self, recordings: Sequence[Steps]) -> list[Row]:
        """Rows of the summary of recordings that are judged together."""
        stamp = self._stamp(recordings)
        known = [read_finished(self.out, one.recording) for one in recordings]
        if all(one is not None and one.stamp == stamp and one.intact(self.out) for one in known):
            return self._collect(recordings, [one for one in known if one is not None], "up to date")
        started = time.monotonic()
        made = {one.recording: self._prepared(one, stamp) for one in recordings}
        ready = [one for one in recordings if one.recording not in self._problems(made)]
        if ready:
            self.progress.doing(ready[0].recording, "predicting")
            edited: dict[str, str] = {}
            for steps, one in zip(recordings, known, strict=True):
                own = one.edited(self.out) if one is not None else {}
                self.set_aside += corrected_before(steps.recording, own, self._owner(steps))
                edited |= own
            for result in judge(self.trained, ready, self.options.personalise):
                row = summary_row(result, self.options.personalise)
                made[result.recording] = Finished(stamp, row, files=self._written(result, stamp, edited))
        for recording, before in zip(made, known, strict=True):
            if before is not None:
                before.remove_left(self.out, made[recording].files)
            write_finished(self.out, recording, made[recording])
        return self._collect(recordings, list(made.values()), f"done in {in_words(time.monotonic() - started)}")

    @staticmethod
    def _problems(made: dict[str, Finished]) -> set[str]:
        return {recording for recording, one in made.items() if one.problem is not None}

    def _prepared(self, one: Steps, stamp: str) -> Finished:
        """Make the recording's pack; why there is none stands in ``problem``."""
        one.split()
        try:
            for name, job in one.jobs():
                self.progress.doing(one.recording, name)
                job()
        except WaverError as error:
            log.exception("%s set aside", one.recording)
            reason, remedy = (
                f"its {name} could not be made ({error})",
                "see work/predict.log, and run the command again",
            )
            return Finished(problem=exclusion_row(one.recording, reason, remedy, self._owner(one)))
        problem = usable(one)
        if problem is None:
            return Finished(stamp)
        return Finished(stamp, problem=exclusion_row(one.recording, *problem, self._owner(one)))

    def _collect(self, recordings: Sequence[Steps], finished: Sequence[Finished], how: str) -> list[Row]:
        for one, made in zip(recordings, finished, strict=True):
            outcome = how if made.problem is None else "set aside"
            self.progress.finished(one.recording, self.videos[one.recording]["duration_s"], outcome)
            self.files |= made.files
        self.set_aside += [made.problem for made in finished if made.problem is not None]
        return [made.row for made in finished if made.row is not None]

    def _stamp(self, recordings: Sequence[Steps]) -> str:
        """Digest of all that decides what is said of recordings that are judged together."""
        adapted = ADAPTATIONS.get(self.options.personalise)
        methods = [FUSIONS[self.trained.checkpoint.fusion].target, *([adapted.target] if adapted else [])]
        return digest(
            {
                "recordings": [self.videos[one.recording] for one in recordings],
                "transcripts": [self.spoken.get(one.recording) for one in recordings],
                "recognised": [one.recognise for one in recordings],
                "features": self.trained.preparation.decisive(self.features),
                "code": [
                    fingerprints(self.features),
                    code_version(judge, write_frames, write_segments, write_annotations, write_page, *methods),
                ],
                "model": [self.trained.name, self.trained.sha256, self.options.personalise],
                "decisions": [self.trained.decisions.state(), self.trained.controls],
            }
        )

    def _written(self, result: RecordingResult, stamp: str, edited: dict[str, str]) -> dict[str, str]:
        """Write the files of a recording, but for those that a person has changed; name -> sha256 as written."""
        about = {"model": self.trained.name, "run": self.trained.run, "model_sha256": self.trained.sha256}
        about |= {"stamp": stamp}
        tables = write_frames(result, self.out, about) | write_segments(result, self.out, about)
        annotations = write_annotations(result, self.out, self.trained.decisions.segments, edited, stamp=about)
        own = {name: sha256 for name, sha256 in edited.items() if name in annotations}
        page, _ = write_page(result, self.out, self.about, self.trained.decisions.segments)
        return tables | annotations | own | {page.name: file_sha256(page)}
