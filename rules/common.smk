"""What the rule files share: the checked config, paths, and input functions. No rule, no work."""

from snakemake.exceptions import WorkflowError

import waver
from waver.adaptation.registry import METHODS
from waver.assets.manifest import asset_for, manifest
from waver.config.model import load_config
from waver.errors import WaverError
from waver.models.registry import FUSIONS, method_config
from waver.paths import Paths
from waver.provenance import SOURCE, code_version, digest, script_version

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


def code(rule, *modules):
    """Fingerprint of a rule's script and of the modules (with all they import) that it calls."""
    script = f"{workflow.basedir}/workflow/scripts/{rule}.py"
    return digest([script_version(script), code_version(*modules)])


def model_record(role):
    """The installed record of the model that fills a role in this config."""
    name = stop_with_a_sentence(asset_for, role, cfg.models.set, cfg.models.paths)
    return f"resources/models/{name}/asset.json"


def dataset_table(name):
    """Input function: a table over the whole data set. Planned after ingest, see ``shard_table``."""
    return lambda wildcards: str(getattr(checkpoints.ingest_tables.get().output, name))


def shard_table(name):
    """Input function: the rows of one shard.

    It waits for the checkpoint, so that after a re-run of ingest only shards whose table changed
    are planned at all.
    """

    def table(wildcards):
        checkpoints.ingest_tables.get()
        return paths.shard_table(name).format(shard=wildcards.shard)

    return table


def every_shard(template):
    """The file of each shard."""
    return expand(template, shard=SHARDS, allow_missing=True)
