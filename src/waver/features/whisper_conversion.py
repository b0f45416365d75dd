"""A Whisper of the transformers library in CTranslate2's format, which the recogniser reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctranslate2.converters import TransformersConverter
from transformers import AutoConfig, AutoFeatureExtractor
from transformers.utils.logging import disable_progress_bar

from waver.assets.manifest import Installed, installed
from waver.errors import WaverError
from waver.io.atomic import atomic_folder
from waver.io.lock import exclusive
from waver.models.pretrained_folder import LOCAL, read_model, reading_folder
from waver.models.text.pretrained_encoder import check_complete
from waver.provenance import file_sha256

_ROLE = "speech_recogniser"


class _Converter(TransformersConverter):
    """Reads a folder as every model is read here: from the disk alone, no code, no pickled object."""

    loading_info: Any = None
    """What the library says of the weights that it read."""

    def load_model(self, model_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        """The model."""
        model, self.loading_info = read_model(model_class, Path(model_name_or_path), output_loading_info=True, **kwargs)
        return model

    def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        """The tokenizer."""
        return tokenizer_class.from_pretrained(model_name_or_path, **LOCAL, **kwargs)


def convert_whisper(model: Path, folder: Path) -> Installed:
    """Convert an installed Whisper (``openai/whisper-large-v3`` and others), in float16, and write its record.

    Args:
        model: ``asset.json`` of a folder as the transformers library saves it.
        folder: to write; what is there is replaced.

    Raises:
        WaverError: the folder holds no Whisper, or its weights or ``tokenizer.json`` are missing.
    """
    source = installed(model)
    given = Path(source.folder)
    disable_progress_bar()
    with exclusive(folder.with_name(f".{folder.name}.lock"), remove=True), atomic_folder(folder) as place:
        with reading_folder(given, "Whisper model", f"correct models.paths.{_ROLE}"):
            if AutoConfig.from_pretrained(given, **LOCAL).model_type != "whisper":
                raise WaverError("its config.json names another model")
            if not (given / "tokenizer.json").is_file():
                raise WaverError("it lacks tokenizer.json")
            extractor = AutoFeatureExtractor.from_pretrained(given, **LOCAL)
            converter = _Converter(str(given), copy_files=["tokenizer.json"], load_as_float16=True)
            converter.convert(str(place), quantization="float16")
        check_complete(given, converter.loading_info, "Whisper model", _ROLE)
        extractor.save_pretrained(place)  # how many mel bands the model hears
        files = sorted(file.name for file in place.iterdir())
        about = {
            "name": f"converted.{_ROLE}",
            "folder": str(folder),
            "files": {f: file_sha256(place / f) for f in files},
        }
        record = source.model_copy(update=about)
        (place / "asset.json").write_text(record.model_dump_json(indent=2) + "\n")
    return record
