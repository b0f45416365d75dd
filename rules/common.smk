"""What the stages share: the checked config, paths, and input functions. Nothing runs here."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from snakemake.exceptions import IncompleteCheckpointException, WorkflowError

import waver
from waver.adaptation.guard import guard_for
from waver.adaptation.registry import METHODS
from waver.assets.manifest import asset_for, fingerprint, manifest
from waver.cluster.leftovers import end_leftovers
from waver.config.model import load_config
from waver.config.section import MODALITY_SETS
from waver.errors import WaverError
from waver.evaluation.names import CONTROLS
from waver.features.registry import LOADERS
from waver.models.registry import (
    ANSWER_MODELS,
    BACKBONES,
    EXPLAINED,
    FUSIONS,
    IMPLIED,
    VIDEO_ASSETS,
    VIDEO_INPUTS,
    VIDEO_LOADERS,
    VIDEO_MODELS,
    check_names,
    method_config,
)
from waver.paths import Paths
from waver.provenance import SOURCE, code_version, digest, file_sha256, script_version
from waver.training.costing import MEASURED_BY
from waver.training.variants import (
    check_variants,
    model_named,
    models_of,
    modules_of,
    recipe_of,
)

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


def recover():
    """Plan again where stores or models that this run needs were deleted, but not the index that lists them.

    Of jobs that have nothing to do nothing is missed, as with any file between; the report goes without what is gone:
    pictures, the timeline, numbers of parameters.
    """
    from waver.cluster.recover import forget_what_is_gone  # loads what reads stores

    seen = set()
    while not workflow.touch:
        jobs = list(workflow.dag.needrun_jobs())
        made = {str(path) for job in jobs for path in job.output}
        read = {
            str(path)
            for job in jobs
            for path in job.input
            if not job.rule.name.startswith("report_")
        }
        asked = sorted(read - made - seen)
        seen.update(asked)
        if not forget_what_is_gone(map(Path, asked)):
            break
        # what Snakemake itself does when a checkpoint has told it more
        workflow.async_run(workflow.dag.postprocess())


def checked_config():
    """The config, with the names of methods and their own options held to the registries."""
    check_names(
        {
            "fusions": FUSIONS,
            "models of answers": ANSWER_MODELS,
            "video-level models": VIDEO_MODELS,
            "adaptation methods": METHODS,
            # a model of answers may be a control, and is told from it by its inputs
            "controls": [name for name in CONTROLS if name not in ANSWER_MODELS],
        }
    )
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
        (
            "videos.runs",
            VIDEO_MODELS,
            {run.model for run in checked.videos.runs} | set(checked.videos.recipes),
            checked.videos.options,
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
    check_variants(checked.train, options=workflow.is_main_process)
    check_backbone(checked)
    check_videos(checked)
    return checked


def check_videos(checked):
    """The modalities of video-level models held to what these look at; what they are built on is there."""
    for run in checked.videos.runs:
        faces = VIDEO_INPUTS[run.model] == "faces"
        if faces and run.modalities not in ("V", "VQ"):
            raise WaverError(
                f"videos.runs: {run.model} takes V or VQ, not {run.modalities}; it looks at faces"
            )
        if not faces and run.modalities == "Q":
            raise WaverError(f"videos.runs: {run.model} needs V, A, T or C beside Q")
        if run.model in VIDEO_ASSETS:
            asset_for(VIDEO_ASSETS[run.model], checked.models.set, checked.models.paths)


def check_backbone(checked):
    """The visual backbone held to the registry, and its weights to where they can come from."""
    name, options = checked.features.visual.backbone, checked.features.visual.options
    stages = checked.backbone.stages
    if name == "mini_xception":
        if stages or options:
            raise WaverError(
                "features.visual.backbone: mini_xception is used as it is, without backbone.stages and options; "
                f"to train, name one of {', '.join(BACKBONES)}"
            )
    elif name not in BACKBONES:
        raise WaverError(
            f"features.visual.backbone: {name!r} is not a known backbone; known are mini_xception, {', '.join(BACKBONES)}"
        )
    elif not stages and "expression_backbone" not in checked.models.paths:
        raise WaverError(
            f"features.visual.backbone: there are no weights for {name}; give models.paths.expression_backbone, "
            "or train it: backbone.stages"
        )
    elif options and workflow.is_main_process:
        method_config(BACKBONES, name, options)
    looked_at = [*checked.train.runs, *checked.videos.runs]
    if (
        "ah" in stages
        and checked.train.folds > 1
        and any("V" in run.modalities for run in looked_at)
    ):
        raise WaverError(
            "backbone.stages: ah learns from everybody's labels in train and chooses its epoch on val, so that a "
            "cross-validation of models with V would be flattered; set train.folds to 0, or stages to [emotions]"
        )


cfg = stop_with_a_sentence(checked_config)
paths = Paths(dataset=cfg.dataset.name, run=cfg.run)
SHARDS = [f"{number:03d}" for number in range(cfg.dataset.shards)]
ENVIRONMENT = f"{workflow.basedir}/envs/waver.yaml"
RECORDED = cfg.dataset.source != "transcripts"
THINGS = [
    *(["faces", "visual", "audio"] if RECORDED else []),
    "speech",
    "words",
    "cues",
]
"""What is made of each video; of a data set without video files the words alone and their cues."""


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


def audio_roles():
    """Role of the model that the audio feature needs, where it needs one."""
    feature = cfg.features.audio.feature
    return [feature] if RECORDED and feature != "logmel_stats" else []


def cue_roles():
    """Role of the model that the targets of affect need, where one is given."""
    return ["sentiment"] if "sentiment" in cfg.models.paths else []


def loaders(roles):
    """What reads the models of some roles, where nobody else needs it."""
    return [LOADERS[role] for role in roles if role in LOADERS]


def model_records():
    """The installed records of all models that this config uses."""
    recognised = cfg.features.speech.source == "recognise"
    roles = ["text_encoder"]
    roles += ["face_detector", "expression_backbone"] if RECORDED else []
    roles += ["speech_recogniser"] if recognised else []
    roles += audio_roles()
    roles += cue_roles()
    roles += sorted(
        {role for run in cfg.videos.runs for role in video_roles(run.model)}
    )
    return [
        visual_record() if role == "expression_backbone" else model_record(role)
        for role in roles
    ]


def installs():
    """The records of all models that are installed, before anything is trained."""
    used = [*model_records(), *(given_backbone() if RECORDED else [])]
    return [record for record in used if record.startswith("resources/models/")]


def given_backbone():
    """Record of the weights that the config gives for the visual backbone, if it does: a training begins there."""
    given = "expression_backbone" in cfg.models.paths
    return [model_record("expression_backbone")] if given else []


def trained_backbone(stage, name="asset.json"):
    """A file of a stage of the visual backbone's training."""
    path = paths.trained_emotions if stage == "emotions" else paths.trained_frames
    return path(cfg.features.visual.backbone, name)


def visual_record():
    """Record of the visual backbone's weights: of the last stage of its training, else installed."""
    stages = cfg.backbone.stages
    if stages:
        return trained_backbone(stages[-1])
    return model_record("expression_backbone")


def visual_code(name, module):
    """Fingerprint of a job on the visual backbone and of this network; other networks do not count."""
    own = cfg.features.visual.backbone
    return code(name, module, *([BACKBONES[own]] if own in BACKBONES else []))


def pictures_stamp():
    """Changes when the pictures of basic emotions do; what looks at them is loaded where there are any."""
    sets = cfg.backbone.emotions.sets
    if not sets:
        return ""
    from waver.data.emotions import stamp

    return stamp(sets)


def backbone_start(name, module):
    """What a training of the visual backbone begins with, but for its weights."""
    return {
        "backbone": cfg.features.visual.backbone,
        "options": cfg.features.visual.options,
        "seed": cfg.backbone.seed,
        "code": visual_code(name, f"waver.training.{module}"),
    }


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
    """The part of the training config that decides one model or variant: without the list of the others."""
    return recipe_of(cfg.train, wildcards.fusion).recipe


def train_code(wildcards):
    """Fingerprint of the loop, of this fusion and of its temporal context; others do not count."""
    own = modules_of(cfg.train, wildcards.fusion)
    return code("train_fusion", "waver.training.fit", *own)


MODELS = models_of(cfg.train)
"""Every model of frames to train; names and paths are made of these, and nothing is read out of a name or a path."""


def seeds_of(models, name):
    """A file of every seed of some models of frames."""
    return [
        paths.train(name).format(
            fusion=model.method, modalities=model.modalities, seed=seed
        )
        for model in models
        for seed in cfg.train.seeds
    ]


def train_outputs(name):
    """A file of every training run of the config."""
    return seeds_of(MODELS, name)


def model_of(wildcards):
    """The model of frames that a job is about."""
    return stop_with_a_sentence(
        model_named, cfg.train, wildcards.fusion, wildcards.modalities
    )


def fusion_of(wildcards):
    """Its fusion, as the registry names it."""
    return model_of(wildcards).fusion


def train_record(wildcards):
    """What the predictions of a fusion say about what made them."""
    return {
        "model_set": cfg.models.set,
        "code": train_code(wildcards),
        "config": train_slice(wildcards),
        **model_of(wildcards).own_record,
    }


def head_record(wildcards):
    """The same of the model's head for whole videos."""
    own = {"seed": int(wildcards.seed)}
    return train_record(wildcards) | model_of(wildcards).head.own_record | own


def folds_code(wildcards):
    """As ``train_code``, of the cross-validation."""
    own = modules_of(cfg.train, wildcards.fusion)
    return code("train_folds", "waver.training.folds", *own)


def fusion_code(wildcards, script, module):
    """As ``train_code``, of a job on a model that is trained."""
    own = modules_of(cfg.train, wildcards.fusion)
    return code(script, f"waver.training.{module}", *own)


def explanations():
    """What every model shows that can."""
    return seeds_of(
        [model for model in MODELS if model.fusion in EXPLAINED],
        "explanations.parquet",
    )


def video_heads():
    """Video-level predictions of every model of frames that has a head for whole videos."""
    headed = [
        model
        for model in MODELS
        if recipe_of(cfg.train, model.method).options[model.fusion].get("video_head")
    ]
    return seeds_of(headed, "videos.parquet")


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


def videos_code(wildcards):
    """Fingerprint of the runner and of this video-level model; other models do not count."""
    name = wildcards.video_model
    own = [table[name] for table in (VIDEO_MODELS, VIDEO_LOADERS) if name in table]
    return code("train_videos", "waver.training.videos", *own)


def videos_slice(wildcards):
    """The part of the config that decides one video-level model."""
    recipe = cfg.videos.recipe(wildcards.video_model)
    implied = IMPLIED.get(wildcards.video_model, {})
    return FOLDING | {
        "recipe": recipe.model_dump(exclude={"runs", "recipes"}),
        "implied": implied,
    }


def videos_indexes(wildcards):
    """What a video-level model looks at: indexes of the faces, or of the packs."""
    faces = VIDEO_INPUTS[wildcards.video_model] == "faces"
    template = paths.feature_index("faces") if faces else paths.pack_index
    return every_shard(template)(wildcards)


def video_roles(name):
    """Roles of the models that a video-level model is built on, or begins with if the config gives it."""
    built_on = [VIDEO_ASSETS[name]] if name in VIDEO_ASSETS else []
    return built_on + [name] * (name in cfg.models.paths)


def videos_weights(wildcards):
    """The installed records of these roles."""
    return [model_record(role) for role in video_roles(wildcards.video_model)]


def video_texts(wildcards):
    """Fingerprints of the files of words that a video-level model is given."""
    names = ["descriptions.yaml"] if wildcards.video_model == "emoclip" else []
    return [file_sha256(SOURCE / "models/video" / name) for name in names]


def videos_record(wildcards):
    """What the predictions of a video-level model say about what made them."""
    return {
        "model_set": cfg.models.set,
        "code": videos_code(wildcards),
        "config": videos_slice(wildcards),
    }


def videos_outputs(name, runs=cfg.videos.runs):
    """A file of every video-level model in the config, or of some."""
    return [
        paths.train_videos(name).format(
            video_model=run.model, modalities=run.modalities, seed=seed
        )
        for run in runs
        for seed in run.seeds
    ]


class Trained(NamedTuple):
    """A trained model of frames or of videos: what its costs are told of, and where its files lie.

    Attributes:
        unit: window or video, see ``waver.training.costing``.
        record: method and modalities, and of a model of frames the rest of what is known.
        modules: what it is built of.
        roles: of the models that it is built on, or begins with.
        files: name -> that file of every seed.
    """

    unit: str
    record: dict
    modules: list
    roles: list
    files: Callable


def trained_models():
    """Folder below ``results/<run>/train`` -> the model in it, of every model of frames and of videos."""
    found = {
        f"{model.method}/{model.modalities}": Trained(
            "window",
            model.record,
            modules_of(cfg.train, model.method),
            [],
            partial(seeds_of, [model]),
        )
        for model in MODELS
    }
    for run in cfg.videos.runs:
        names = (run.model, run.modalities)
        same = [r for r in cfg.videos.runs if (r.model, r.modalities) == names]
        found[f"videos/{run.model}/{run.modalities}"] = Trained(
            "video",
            {"method": run.model, "modalities": run.modalities},
            [VIDEO_MODELS[run.model]],
            video_roles(run.model),
            partial(videos_outputs, runs=same),
        )
    return found


TRAINED = trained_models()


def trained_of(wildcards):
    """The model whose cost a job measures."""
    if wildcards.trained not in TRAINED:
        raise WorkflowError(
            f"{wildcards.trained}: the config trains no such model; name it in train.runs or videos.runs"
        )
    return TRAINED[wildcards.trained]


def of_trained(name):
    """Input function: a file of every seed of one trained model of frames or of videos."""

    def files(wildcards):
        ingested()  # planned after it, as what it is made from
        return trained_of(wildcards).files(name)

    return files


def cost_code(wildcards):
    """Fingerprint of the measurement and of the model measured."""
    trained = trained_of(wildcards)
    return code("train_cost", MEASURED_BY[trained.unit], *trained.modules)


def cost_weights(wildcards):
    """The installed records of what a video-level model is built on, or begins with."""
    return [model_record(role) for role in trained_of(wildcards).roles]


def cost_outputs():
    """The costs of every trained model of frames and of videos."""
    return [paths.train_cost.format(trained=folder) for folder in sorted(TRAINED)]


def table_kinds():
    """What rows of the papers' tables may ask of this run, beside its visual backbone."""
    nothing_fitted = cfg.videos.options.get("emoclip", {}).get("zero_shot", False)
    return ["zero_shot" if nothing_fitted else "fine_tuned"]


def scores_beside():
    """Scores of the runs that ``report.beside`` names."""
    found = [
        f"{folder.rstrip('/')}/evaluate/scores.parquet"
        for folder in cfg.report.beside.values()
    ]
    for name, path in zip(cfg.report.beside, found):
        if Path(path).absolute() == Path(paths.scores).absolute():
            raise WorkflowError(
                f"report.beside.{name} names this run itself; leave it out"
            )
        if not Path(path).is_file():
            raise WorkflowError(
                f"report.beside.{name}: there is no {path}; finish that run first, or correct the folder"
            )
    return found


def cross_validated():
    """Out-of-fold predictions of every model; none where there are no folds."""
    if cfg.train.folds < 2:
        return []
    return (
        train_outputs("folds.parquet")
        + answers_outputs("folds.parquet")
        + videos_outputs("folds.parquet")
    )


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


def adapt_guard(wildcards):
    """What keeps a participant's subsets apart; decided by the features in use."""
    guard = guard_for(wildcards.protocol, cfg.adapt.modalities, cfg.features)
    return guard._asdict()


def adapt_outputs():
    """Predictions of every method, protocol, seed and shard of the config."""
    return expand(
        paths.adapt_predictions,
        method=cfg.adapt.methods,
        protocol=cfg.adapt.protocols,
        seed=cfg.adapt.seeds,
        shard=SHARDS,
    )
