"""Writes the conda environments from the locked pins; ``--check`` only reports whether they are up to date.

Neither conda nor pip's requirement files can ignore the requirements that packages
declare (whisperx and insightface declare some that break the others), so the pins are installed by
the script that Snakemake runs once after it has made an environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = {"waver": ("cpu.txt", "embedded.txt"), "waver-gpu": ("gpu.txt", "embedded.txt")}

YAML = """\
# Generated from the locks in this folder (make config); the pins are in {name}.post-deploy.sh.
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
"""
SCRIPT = """\
#!/usr/bin/env bash
# Generated from the locks in this folder (make config). Snakemake runs it inside the new environment.
set -euo pipefail
locked() {{ python -m pip install --require-hashes --only-binary :all: --no-deps --no-compile -r /dev/stdin; }}
{first}locked <<'PINS'
{pins}
PINS
"""
CPU_BUILD = """\
# torch without CUDA where pip is told of an index with it; else the next pins bring the one with CUDA
locked <<'PINS' || true
{pins}
PINS
"""
ANY_TORCH = """\
if python -c 'from importlib.metadata import version; raise SystemExit("+cpu" in version("torch"))'; then
  # a registry served torch's CUDA build; it cannot be imported without its own libraries
  locked <<'PINS'
{cuda}
PINS
else
  # torchaudio's compiled part wants CUDA; without it the package falls back to Python
  rm -f "$(python -c 'import site; print(site.getsitepackages()[0])')"/torchaudio/lib/*.so
fi
"""
COMPILE = """\
# jobs only read the environment, so everything that they would compile is compiled here
python - <<'PYTHON'
{program}PYTHON
"""
CUDA = ("nvidia-", "cuda-", "triton")


def entries(name: str) -> list[str]:
    """Pins of a lock file with their hashes, without comments and options."""
    return [line for line in (HERE / name).read_text().splitlines() if line and not line.startswith(("#", "--"))]


def pins(name: str) -> list[str]:
    """Pins of a lock file: name==version."""
    return [entry.split()[0] for entry in entries(name)]


def files() -> dict[Path, str]:
    """What each generated file must hold."""
    wanted = {}
    for name, locks in ENVIRONMENTS.items():
        listed = "\n".join(entry for lock in locks for entry in entries(lock))
        cuda = "\n".join(entry for entry in entries("gpu.txt") if entry.startswith(CUDA))
        tail = ANY_TORCH.format(cuda=cuda) if name == "waver" else ""
        first = CPU_BUILD.format(pins="\n".join(entries("torch-cpu.txt"))) if name == "waver" else ""
        wanted[HERE / f"{name}.yaml"] = YAML.format(name=name)
        tail += COMPILE.format(program=(HERE / "precompile.py").read_text())
        wanted[HERE / f"{name}.post-deploy.sh"] = SCRIPT.format(pins=listed, first=first) + tail
    return wanted


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` name those that are out of step."""
    stale = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" not in arguments:
            path.write_text(files()[path])
        print(f"envs/{path.name} {'is out of step' if '--check' in arguments else 'written'}")
    return int(bool(stale) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
