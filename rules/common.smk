"""What the stages share: the checked config, paths, and input functions. Nothing runs here."""

from snakemake.exceptions import IncompleteCheckpointException, WorkflowError

import waver
from waver.adaptation.registry import METHODS
from waver.assets.manifest import asset_for, fingerprint, manifest
from waver.cluster.leftovers import end_leftovers
from waver.config.model import load_config
from waver.errors import WaverError
from waver.models.registry import ANSWER_MODELS, FUSIONS, method_config
from waver.paths import Paths
from waver.provenance import SOURCE, code_version, digest, file_sha256, script_version

if not SOURCE.is_relative_to(workflow.basedir):
    raise WorkflowError(
        f"another Waver at {SOURCE} hides the one of this folder; uninstall it"
    )


def stop_with_a_sentence(call, *arguments):
    """The result of ``call``, or an end of the run with the one sentence of its WaverError."""
    try:
        return call(*arguments)
    except WaverError as error:
        raise WorkflowError(str(error)) from None


def checked_config():
    """The config, with the names of methods and their own options held to the registries."""
    checked = load_config(config)
    for key, table, names, options in (
        (
            "train.runs",
            FUSIONS,
            {run.fusion for run in checked.train.runs},
            checked.train.options,
        ),
        (
            "answers.runs",
            ANSWER_MODELS,
            {run.model for run in (*checked.answers.runs, *checked.answers.tuned)},
            checked.answers.options,
        ),
        ("adapt.methods", METHODS, set(checked.adapt.methods), checked.adapt.options),
    ):
        for name in sorted(names | set(options)):
            if name not in table:
                raise WaverError(
                    f"{key}: {name!r} is not a known method; known are {', '.join(table)}"
                )
        if (
            workflow.is_main_process
        ):  # loads the methods that have options, and torch with them
            for name, values in options.items():
                method_config(table, name, values)
    return checked


cfg = stop_with_a_sentence(checked_config)
paths = Paths(dataset=cfg.dataset.name, run=cfg.run)
SHARDS = [f"{number:03d}" for number in range(cfg.dataset.shards)]
ENVIRONMENT = f"{workflow.basedir}/envs/waver.yaml"
RECORDED = cfg.dataset.source != "transcripts"
THINGS = (
    ["faces", "visual", "audio", "speech", "words"] if RECORDED else ["speech", "words"]
)
"""What is made of each video; of a data set without video files the words alone."""


def dataset_root():
    """Folder of the release: the user's, or that of the generated demo data set."""
    if cfg.dataset.source == "demo":
        return paths.demo_root
    if not cfg.dataset.root:
        raise WorkflowError(
            "dataset.root is empty; give the folder of the release, e.g. --config dataset='{root: /data/BAH}', "
            "or use --configfile config/presets/demo.yaml"
        )
    if not Path(cfg.dataset.root).is_dir():
        raise WorkflowError(
            f"dataset.root: {cfg.dataset.root} is no folder; correct the path"
        )
    return cfg.dataset.root


ROOT = dataset_root()


def code(name, *modules):
    """Fingerprint of a script and of the modules (with all they import) that it calls."""
    script = f"{workflow.basedir}/workflow/scripts/{name}.py"
    return digest([script_version(script), code_version(*modules)])


def model_record(role):
    """The installed record of the model that fills a role in this config."""
    name = stop_with_a_sentence(asset_for, role, cfg.models.set, cfg.models.paths)
    return f"resources/models/{name}/asset.json"


def model_records():
    """The installed records of all models that this config uses."""
    recognised = cfg.features.speech.source == "recognise"
    embedded = RECORDED and cfg.features.audio.feature == "vggish"
    roles = ["text_encoder"]
    roles += ["face_detector", "expression_backbone"] if RECORDED else []
    roles += ["speech_recogniser"] if recognised else []
    roles += ["vggish"] if embedded else []
    return [model_record(role) for role in roles]


_INGESTED = {}


def ingested():
    """The finished checkpoint, or Snakemake's exception that says to wait for it.

    Asked of Snakemake once a state of planning: each asking expands every file of ingest, and every
    job asks, which grows with the square of the shards.
    """
    state = len(checkpoints.created_output)
    if state not in _INGESTED:
        try:
            _INGESTED[state] = checkpoints.ingest_tables.get()
        except IncompleteCheckpointException as waiting:
            _INGESTED[state] = waiting
    if isinstance(_INGESTED[state], IncompleteCheckpointException):
        raise _INGESTED[state].with_traceback(None)
    return _INGESTED[state]


def dataset_table(name):
    """Input function for a table over the whole data set; planned after ingest, see ``of_shard``."""
    return lambda wildcards: str(getattr(ingested().output, name))


def of_shard(template):
    """Input function: the file of the job's own shard.

    It waits for the checkpoint. What Snakemake plans below a job that will run, it runs, whatever
    that job then writes; what waits for a checkpoint is planned after it, against what it wrote. So
    after a re-run of ingest only shards whose table changed run again. Every rule between ingest and
    the report therefore takes what it takes through this or ``every_shard``.
    """

    def file(wildcards):
        ingested()
        return template.format(**wildcards)

    return file


def every_shard(template):
    """Input function: the file of each shard, see ``of_shard``."""

    def files(wildcards):
        ingested()
        return [template.format(shard=shard) for shard in SHARDS]

    return files


FOLDING = {"folds": cfg.train.folds, "folding": cfg.train.folding}
"""Who is held out together, the same for all models and controls."""


def own_path(wildcards):
    """The path that the config gives for one model, by role; the other models' do not count."""
    role = wildcards.model.removeprefix("path.")
    return {role: cfg.models.paths[role]} if wildcards.model != role else {}


def train_slice(wildcards):
    """The part of the training config that decides one model: without the list of the others."""
    own = cfg.train.options.get(wildcards.fusion, {})
    others = {"runs", "seeds", "folds", "folding", "options"}
    return cfg.train.model_dump(exclude=others) | {"options": {wildcards.fusion: own}}


def train_code(wildcards):
    """Fingerprint of the loop and of this fusion; other fusions do not count."""
    return code("train_fusion", "waver.training.fit", FUSIONS[wildcards.fusion])


def train_outputs(name):
    """A file of every training run of the config."""
    return [
        paths.train(name).format(
            fusion=run.fusion, modalities=run.modalities, seed=seed
        )
        for run in cfg.train.runs
        for seed in cfg.train.seeds
    ]


def train_record(wildcards):
    """What the predictions of a fusion say about what made them."""
    return {
        "model_set": cfg.models.set,
        "code": train_code(wildcards),
        "config": train_slice(wildcards),
    }


def folds_code(wildcards):
    """As ``train_code``, of the cross-validation."""
    return code("train_folds", "waver.training.folds", FUSIONS[wildcards.fusion])


def answers_code(wildcards):
    """Fingerprint of the runner and of this model of answers; other models do not count."""
    own = ANSWER_MODELS[wildcards.answers]
    return code("train_answers", "waver.training.answers", own)


def answers_slice(wildcards):
    """The part of the config that decides one model of answers."""
    own = cfg.answers.options.get(wildcards.answers, {})
    return FOLDING | {"options": own}


def answers_outputs(name):
    """A file of every model of answers in the config."""
    return [
        paths.train_answers(name).format(
            answers=run.model, inputs=run.inputs, seed=seed
        )
        for run in cfg.answers.chosen
        for seed in run.seeds
    ]


def cross_validated():
    """Out-of-fold predictions of every model; none where there are no folds."""
    if cfg.train.folds < 2:
        return []
    return train_outputs("folds.parquet") + answers_outputs("folds.parquet")


def adapt_slice(*methods):
    """The part of the adaptation config that decides one method's job."""
    decisive = ("modalities", "scope", "source_epochs")
    options = {
        name: cfg.adapt.options[name] for name in methods if name in cfg.adapt.options
    }
    return {key: getattr(cfg.adapt, key) for key in decisive} | {"options": options}


def adapt_code(wildcards):
    """Fingerprint of the runner and of this method; other methods do not count."""
    return code("adapt_target", "waver.adaptation.runner", METHODS[wildcards.method])


def adapt_outputs():
    """Predictions of every method, protocol, seed and shard of the config."""
    return expand(
        paths.adapt_predictions,
        method=cfg.adapt.methods,
        protocol=cfg.adapt.protocols,
        seed=cfg.adapt.seeds,
        shard=SHARDS,
    )
