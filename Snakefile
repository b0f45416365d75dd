"""Waver: raw question-and-answer videos in, ambivalence/hesitancy recognition and an honest report out.

    snakemake --cores all --configfile config/presets/demo.yaml     the demo
    snakemake --profile slurm --configfile config/presets/bah300.yaml   a cluster

This file is the map: config, paths, wildcards, then one rule file a stage in the order of the flow.
"""

import compileall
import contextlib
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from waver.workflow.environment import SETTINGS, UMASK, import_from

# logs, measurements and folders, too, are the user's alone
os.umask(UMASK)
# jobs only read code: the run compiles what was edited before any of them starts
os.environ.update(SETTINGS)
sys.dont_write_bytecode = True
if workflow.is_main_process:
    # Snakemake has made it already; it may be somebody else's
    with contextlib.suppress(OSError):
        Path(".snakemake").chmod(0o777 & ~UMASK)
    compileall.compile_dir(Path(workflow.basedir) / "src/waver", quiet=2)


configfile: "config/config.yaml"


# with --sdm apptainer alone; built from envs/waver.def
container: f"{workflow.basedir}/envs/waver.sif"


include: "rules/common.smk"


# jobs, too, take the library of this folder
stop_with_a_sentence(import_from, f"{workflow.basedir}/src")


wildcard_constraints:
    shard=r"\d{3}",
    seed=r"\d+",
    backbone="|".join(BACKBONES),
    suffix=rf"(_({'|'.join(BACKBONES)}))?",
    packed=rf"(/({'|'.join(BACKBONES)}))?",
    model=r"[a-z0-9_.]+",
    modalities=MODALITY_SETS.strip("^$"),
    answers="|".join(ANSWER_MODELS),
    inputs="T|TQ|Q",
    fusion=rf"({'|'.join(FUSIONS)})(\.[a-z][a-z0-9_]*)?",
    video_model="|".join(VIDEO_MODELS),
    method="|".join(ADAPTATIONS),
    letters=rf"(modalities/({MODALITY_SETS.strip('^$')})/)?",
    adapted=rf"(modalities/({MODALITY_SETS.strip('^$')})/)?({'|'.join(ADAPTATIONS)})|fusions/[^/]+/[A-Z]+/({'|'.join(FOR_FUSIONS)})"
    rf"|faces/(backbone|clip)/(head|lora|full)/({'|'.join(FOR_FACES)})",
    face_network="backbone|clip",
    scope="head|lora|full",
    protocol="[a-z_]+",
    participant="[^/]+",
    prompted_model=rf"({'|'.join(ZERO_SHOT_MODELS)})(_tuned\d+)?",
    granularity=r"video|w\d+",
    prompt="[a-z][a-z0-9_]{0,23}",


include: "rules/models.smk"
include: "rules/ingest.smk"
include: "rules/features.smk"
include: "rules/align.smk"
include: "rules/train.smk"
include: "rules/adapt.smk"
include: "rules/zeroshot.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    all,


onstart:
    from waver.cluster.recover import recover  # loads what reads stores

    stop_with_a_sentence(end_leftovers, Path.cwd(), workflow.non_local_exec)
    recover(workflow)


rule all:
    default_target: True
    input:
        flow.targets(),
