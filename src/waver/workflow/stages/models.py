"""models: what is installed before anything else runs."""

from __future__ import annotations

from waver.assets.entries import fetched_assets, manifest
from waver.assets.manifest import fingerprint
from waver.workflow.fingerprint import code
from waver.workflow.run import Wildcards
from waver.workflow.stages.base import Stage


class Models(Stage):
    """Models and media, verified by sha256."""

    @property
    def fetched(self) -> str:
        """Pattern of the names of models that come over a network."""
        return "|".join(fetched_assets())

    @property
    def packaged(self) -> str:
        """Pattern of the names of all others, and of models that are given by path."""
        return "|".join([r"path\.[a-z0-9_]+", *(name for name in manifest() if name not in fetched_assets())])

    def asset(self, wildcards: Wildcards) -> str:
        """What decides an installed model."""
        return fingerprint(wildcards.model, self.run.model_paths)

    def install_code(self, wildcards: Wildcards) -> str:
        """Fingerprint of the installation, and of what makes a model of random weights."""
        made = manifest()[wildcards.model].made if wildcards.model in manifest() else ""
        return code("models_install", *([made] if made else []))

    def accepted(self, wildcards: Wildcards) -> list[str]:
        """The licence of a model to fetch, where it has to be accepted and the config does; no other licence counts."""
        return [one for one in self.config.models.accept_licences if one == manifest()[wildcards.model].restricted]

    def own_path(self, wildcards: Wildcards) -> dict[str, str]:
        """The path that the config gives for a model to install, by role; the other models' do not count."""
        role = wildcards.model.removeprefix("path.")
        return {role: self.run.model_paths[role]} if wildcards.model != role else {}
