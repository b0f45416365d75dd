#!/usr/bin/env bash
# Creates .venv from the locked pins, once; a second call finds the stamp and does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.ready
want=$(cat envs/cpu.txt envs/embedded.txt envs/torch-cpu.txt envs/setup.sh envs/precompile.py pyproject.toml | sha256sum | cut -c1-16)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

python=${PYTHON:-$(command -v python3.11 || command -v python3 || true)}
fail() { echo "setup: $1" >&2; exit 1; }
[ -n "$python" ] || fail "Python 3.11 is not installed; install it, or give its path: make setup PYTHON=/path/to/python3.11"
"$python" -c 'import sys; raise SystemExit(sys.version_info[:2] != (3, 11))' \
  || fail "$python is $("$python" -V 2>&1), and the pins need Python 3.11; give its path: make setup PYTHON=/path/to/python3.11"
"$python" -c 'import venv, ensurepip' 2>/dev/null \
  || fail "$python has no venv module; install it (Debian: apt install python3.11-venv)"
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] \
  || fail "the pins are for Linux on x86_64, this is $(uname -s) on $(uname -m); use the container (docs/cluster.md)"
free_mb=$(df -Pm . | awk 'NR==2 {print $4}')
[ "$free_mb" -ge 5000 ] || fail "5 GB of free disk are needed here, $free_mb MB are left"

echo "setup: installing the locked packages into $venv (about 3 GB; some minutes)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
# --no-deps: the lock is complete, and whisperx and insightface declare requirements that would break it
locked() { pip install --quiet --require-hashes --only-binary :all: --no-deps --no-compile "$@"; }
locked -r envs/torch-cpu.txt 2> /dev/null || echo "setup: no build of torch for the CPU is to be had here; the one with CUDA is installed (4 GB more)"
locked -r envs/cpu.txt -r envs/embedded.txt
# Waver itself, from this folder's src: the command waver, and `import waver` from anywhere
pip install --quiet --no-deps --no-build-isolation --no-compile --editable .

has_cuda=$("$venv/bin/python" - <<'PY'
from importlib.metadata import version
print(int("+cpu" not in version("torch")))
PY
)
if [ "$has_cuda" = 1 ]; then
  # a registry served torch's CUDA build; it cannot be imported without its own libraries
  grep -E '^(nvidia-|cuda-|triton==)' envs/gpu.txt > "$venv/cuda.txt"
  locked -r "$venv/cuda.txt"
else
  # torchaudio's compiled part wants CUDA; without it the package falls back to Python
  rm -f "$venv"/lib/python3.11/site-packages/torchaudio/lib/*.so
fi
"$venv/bin/python" - <<'PY' || fail "the packages were installed but do not import; delete .venv and run make setup again"
import cv2, onnxruntime, torch  # noqa
PY
# jobs only read the environment, so everything that they would compile is compiled here
"$venv/bin/python" envs/precompile.py || fail "compiling the installed packages failed; delete .venv and run make setup again"
echo "$want" > "$stamp"
echo "setup: done"
