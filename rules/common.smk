"""Shared by the rules: the stages of the checked config, paths and input functions. Nothing runs here."""

from snakemake.exceptions import WorkflowError

from waver.cluster.stale_jobs import end_leftovers
from waver.config.section import MODALITY_SETS
from waver.errors import WaverError
from waver.registry import ADAPTATIONS, ANSWER_MODELS, BACKBONES, FUSIONS, VIDEO_MODELS
from waver.workflow.definitions import SOURCE
from waver.workflow.fingerprint import code_of
from waver.workflow.flow import checked_flow
from waver.workflow.inputs import Inputs
from waver.workflow.stages.adapt import VISION_LANGUAGE
from waver.workflow.stages.features import CONVERTED
from waver.workflow.stages.faces import FOR_FACES
from waver.workflow.stages.fusions import FOR_FUSIONS
from waver.workflow.stages.zeroshot import ZERO_SHOT_MODELS

if not SOURCE.is_relative_to(workflow.basedir):
    raise WorkflowError(
        f"another Waver at {SOURCE} hides the one of this folder; uninstall it"
    )


def stop_with_a_sentence(call, *arguments):
    """The result of ``call``, or the end of the run with the message of its WaverError."""
    try:
        return call(*arguments)
    except WaverError as error:
        raise WorkflowError(str(error)) from None


flow = stop_with_a_sentence(checked_flow, config, workflow.is_main_process)
cfg, paths, SHARDS = flow.run.config, flow.run.paths, flow.run.shards
ENVIRONMENT = f"{workflow.basedir}/envs/waver.yaml"

inputs = Inputs(SHARDS, checkpoints)
of_shard, every_shard = inputs.of_shard, inputs.every_shard
dataset_table, after_ingest = inputs.dataset_table, inputs.after_ingest
