"""Waver: raw question-and-answer videos in, ambivalence/hesitancy recognition and an honest report out.

    snakemake --cores all --configfile config/presets/demo.yaml     the demo
    snakemake --profile slurm --configfile config/presets/bah300.yaml   a cluster

This file is the map: config, paths, wildcards, then one rule file a stage in the order of the flow.
"""

import compileall
import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from waver.job_environment import SETTINGS

# jobs only read code: the run compiles what was edited before any of them starts
os.environ.update(SETTINGS)
sys.dont_write_bytecode = True
if workflow.is_main_process:
    compileall.compile_dir(Path(workflow.basedir) / "src/waver", quiet=2)


configfile: "config/config.yaml"


# with --sdm apptainer alone; built from envs/waver.def
container: f"{workflow.basedir}/envs/waver.sif"


include: "rules/common.smk"


wildcard_constraints:
    shard=r"\d{3}",
    seed=r"\d+",
    model=r"[a-z0-9_.]+",
    modalities=MODALITY_SETS.strip("^$"),
    answers="|".join(ANSWER_MODELS),
    inputs="T|TQ|Q",
    fusion=rf"({'|'.join(FUSIONS)})(\.[a-z][a-z0-9_]*)?",
    video_model="|".join(VIDEO_MODELS),
    method="|".join(METHODS),
    protocol="frame_random|block",


include: "rules/models.smk"
include: "rules/ingest.smk"
include: "rules/features.smk"
include: "rules/align.smk"
include: "rules/train.smk"
include: "rules/adapt.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


localrules:
    all,


onstart:
    stop_with_a_sentence(end_leftovers, Path.cwd(), workflow.non_local_exec)
    recover()


rule all:
    default_target: True
    input:
        paths.report("report.html"),
        explanations(),
