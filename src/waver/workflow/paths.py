"""Every path template, once. Rules, scripts, tests and docs take paths from here.

``resources/<dataset>/<stage>/...`` holds what is derived from a dataset and shared by runs;
``results/<run>/<stage>/...`` holds the results of a run's config.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Paths:
    """Path templates of one dataset and one run; ``{...}`` parts are Snakemake wildcards."""

    dataset: str
    run: str

    @property
    def resources(self) -> str:
        return f"resources/{self.dataset}"

    @property
    def results(self) -> str:
        return f"results/{self.run}"

    # ingest -------------------------------------------------------------------------------------
    @property
    def demo_root(self) -> str:
        """Root of the generated demo data set, in the BAH-300 layout."""
        return f"{self.resources}/ingest/raw"

    @property
    def demo_manifest(self) -> str:
        return f"{self.resources}/ingest/raw.json"

    def table(self, name: str) -> str:
        """A table over the whole dataset: participants, videos, answers, segments, transcripts, set_aside."""
        return f"{self.resources}/ingest/{name}.parquet"

    def shard_table(self, name: str) -> str:
        """The rows of one shard: videos, answers, segments, transcripts."""
        return f"{self.resources}/ingest/shards/{{shard}}.{name}.parquet"

    # features -----------------------------------------------------------------------------------
    def feature_index(self, feature: str) -> str:
        """Outcome of each video of a shard; the Zarr stores are in ``stores`` next to it."""
        return f"{self.resources}/features/{feature}/{{shard}}.parquet"

    def visual_index(self, backbone: str = "") -> str:
        """The same of the visual features; empty: of ``features.visual.backbone``, else of one beside it."""
        return self.feature_index(f"visual_{backbone}" if backbone else "visual")

    # align --------------------------------------------------------------------------------------
    @property
    def pack_index(self) -> str:
        """Which rows of the shard's pack belong to which video; the packs are in ``packs`` next to it."""
        return self.pack_index_of()

    def pack_index_of(self, backbone: str = "") -> str:
        """The same with the visual features of another backbone, in a folder of its name."""
        return f"{self.resources}/align{f'/{backbone}' if backbone else ''}/{{shard}}.parquet"

    @property
    def any_pack_index(self) -> str:
        """Both as the output of one rule: the wildcard ``packed`` is empty, or ``/<backbone>``."""
        return f"{self.resources}/align{{packed}}/{{shard}}.parquet"

    # train --------------------------------------------------------------------------------------
    def trained_emotions(self, backbone: str, name: str) -> str:
        """asset.json, history.jsonl of a backbone trained on basic emotions, the same for all data sets."""
        return f"resources/emotions/train/{backbone}/{name}"

    def trained_frames(self, backbone: str, name: str) -> str:
        """asset.json, history.jsonl of a backbone trained on the data set's frames."""
        return f"{self.resources}/train/{backbone}/{name}"

    def backbone_predictions(self, backbone: str) -> str:
        """What a backbone that was trained on the data set's frames says of those of val and test itself."""
        return f"{self.results}/train/backbones/{backbone}/predictions.parquet"

    def train(self, name: str) -> str:
        """model.pt, history.jsonl, predictions.parquet, explanations.parquet of one run; folds.parquet of its folds."""
        return f"{self.results}/train/{{fusion}}/{{modalities}}/{{seed}}/{name}"

    def train_answers(self, name: str) -> str:
        """predictions.parquet (val, test), folds.parquet (cv), weights.parquet of one model of the answers' text."""
        return f"{self.results}/train/{{answers}}/{{inputs}}/{{seed}}/{name}"

    def train_videos(self, name: str) -> str:
        """model.pt, history.jsonl, predictions.parquet, folds.parquet, folds.jsonl of one video-level model."""
        return f"{self.results}/train/videos/{{video_model}}/{{modalities}}/{{seed}}/{name}"

    @property
    def train_cost(self) -> str:
        """Costs of one trained model, all seeds: ``<fusion>/<modalities>`` or ``videos/<model>/<modalities>``."""
        return f"{self.results}/train/{{trained}}/cost.json"

    # adapt --------------------------------------------------------------------------------------
    def adapt_source(self, name: str) -> str:
        """A source model; ``letters`` is empty or, of an input that is not the first, ``modalities/<letters>/``."""
        return f"{self.results}/adapt/{{letters}}source_model/{{seed}}/{name}"

    @property
    def adapt_fitted(self) -> str:
        """What a method of adaptation prepared on the train split."""
        return f"{self.results}/adapt/{{method}}/{{seed}}.pt"

    @property
    def adapt_predictions(self) -> str:
        return f"{self.results}/adapt/{{method}}/{{protocol}}/{{seed}}/{{shard}}.parquet"

    @property
    def adapt_diagnostics(self) -> str:
        """Beside the predictions: what the method did, a line a participant."""
        return diagnostics_of(self.adapt_predictions)

    @property
    def adapt_target(self) -> str:
        """Of a method over features, see ``adapt_source``."""
        return self.adapt_predictions.replace("{method}", "{letters}{method}")

    @property
    def adapt_target_diagnostics(self) -> str:
        return diagnostics_of(self.adapt_target)

    @property
    def adapt_participant(self) -> str:
        """One participant, seeds averaged.

        ``adapted`` is a method, ``modalities/<letters>/<method>``, ``fusions/<fusion>/<modalities>/<method>`` or
        ``faces/<network>/<scope>/<method>``.
        """
        return f"{self.results}/adapt/{{adapted}}/{{protocol}}/participant/{{participant}}.parquet"

    @property
    def adapt_splits(self) -> str:
        """How a protocol splits the frames of everybody who is adapted to."""
        return f"{self.results}/adapt/splits/{{protocol}}.parquet"

    @property
    def adapt_fusion(self) -> str:
        """Of a fusion that is adapted itself."""
        return self.adapt_predictions.replace("{method}", "fusions/{fusion}/{modalities}/{method}")

    @property
    def adapt_fusion_diagnostics(self) -> str:
        return diagnostics_of(self.adapt_fusion)

    @property
    def adapt_faces(self) -> str:
        """Of a network that is adapted from the pictures of faces on."""
        return self.adapt_predictions.replace("{method}", "faces/{face_network}/{scope}/{method}")

    @property
    def adapt_faces_diagnostics(self) -> str:
        return diagnostics_of(self.adapt_faces)

    # zeroshot -----------------------------------------------------------------------------------
    @property
    def zeroshot_answers(self) -> str:
        """Answers about one shard to all prompts; a journal to resume by is next to it."""
        return f"{self.results}/zeroshot/{{prompted_model}}/{{granularity}}/{{shard}}.parquet"

    def zeroshot_adapter(self, name: str) -> str:
        """What fine-tuning learned: adapter_config.json, adapter_model.safetensors; history.jsonl."""
        return f"{self.results}/zeroshot/{{prompted_model}}/adapter/{name}"

    def zeroshot(self, name: str) -> str:
        """Predictions of one prompt: <calibration>.parquet (val, test), <calibration>.folds.parquet (cv).

        Of whole videos each may have a ``.frames.parquet``, the same answer for every frame.
        """
        return f"{self.results}/zeroshot/{{prompted_model}}/{{granularity}}/{{prompt}}/{name}.parquet"

    @property
    def zeroshot_conditions(self) -> str:
        """What the answers of each model, prompt and granularity are worth."""
        return f"{self.results}/evaluate/conditions.parquet"

    @property
    def zeroshot_cues(self) -> str:
        """Cues that are told, against annotated ones."""
        return f"{self.results}/evaluate/cues.parquet"

    # evaluate, report ---------------------------------------------------------------------------
    @property
    def control_predictions(self) -> str:
        return f"{self.results}/evaluate/controls/{{control}}.parquet"

    @property
    def scores(self) -> str:
        return f"{self.results}/evaluate/scores.parquet"

    @property
    def scores_json(self) -> str:
        return f"{self.results}/evaluate/scores.json"

    @property
    def comparisons(self) -> str:
        """Paired differences of methods to references, with p-values."""
        return f"{self.results}/evaluate/comparisons.parquet"

    @property
    def calibration(self) -> str:
        """Reliability curves and temperatures."""
        return f"{self.results}/evaluate/calibration.parquet"

    @property
    def decomposition(self) -> str:
        """Shares of the question, the length and the person in each score."""
        return f"{self.results}/evaluate/decomposition.parquet"

    @property
    def explained_cues(self) -> str:
        """What explanations of models point at, against annotated cues."""
        return f"{self.results}/evaluate/explained_cues.parquet"

    def report(self, name: str) -> str:
        return f"{self.results}/report/{name}"

    def report_table(self, name: str) -> str:
        """A table of the papers, or of the costs, as md, csv and tex; tables.json holds all of them."""
        return f"{self.results}/report/tables/{name}"

    # housekeeping -------------------------------------------------------------------------------
    def log(self, rule: str, *wildcards: str) -> str:
        """Log of a job: ``logs/<run>/<rule>/<wildcards>.log``."""
        return self._side("logs", rule, wildcards, "log")

    def benchmark(self, rule: str, *wildcards: str) -> str:
        """Snakemake's own measurement of a job: wall and CPU seconds, peak memory."""
        return self._side("benchmarks", rule, wildcards, "jsonl")

    def _side(self, top: str, rule: str, wildcards: tuple[str, ...], suffix: str) -> str:
        # letters are a folder or nothing
        parts = (f"{{{wildcard}}}" + "/" * (wildcard != "letters") for wildcard in wildcards)
        name = "".join(parts).removesuffix("/") or "all"
        return f"{top}/{self.run}/{rule}/{name}.{suffix}"


def diagnostics_of(predictions: str) -> str:
    """The file that a job of adaptation writes beside its predictions."""
    return f"{predictions}.diagnostics.jsonl"
