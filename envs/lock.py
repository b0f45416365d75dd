"""Renews the locks: resolves what Waver needs, and writes every pin with the sha256 of its wheels.

    make lock                                    after a change of pyproject.toml, lock.in or overrides.txt
    make lock ARGS='--upgrade-package pillow'    a newer version of one package, within its range
    make lock ARGS=--upgrade                     newer versions of all

A pin stays as it is unless it is upgraded or no longer allowed. The resolver, uv, is installed into a folder that is
deleted afterwards. It also reads the registry's list of files, so that no package is downloaded here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Sequence
from pathlib import Path

import generate

HERE = Path(__file__).resolve().parent
UV = "uv==0.13.9 --hash=sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19"
PLATFORM = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_40")
HEAD = """\
# Written by envs/lock.py (make lock) from {sources}.
--require-hashes
--only-binary :all:
"""
SOURCES = "pyproject.toml, lock.in and overrides.txt"


def main(arguments: Sequence[str]) -> int:
    """Write cpu.txt, gpu.txt and the hashes of embedded.txt, and what is generated from them."""
    with tempfile.TemporaryDirectory() as folder:
        uv = _resolver(Path(folder))
        gpu = _resolved(uv, Path(folder) / "gpu.txt", generate.pins("gpu.txt"), [], arguments)
        cuda = [pin.split("==")[0] for pin in gpu if pin.startswith(generate.CUDA)]
        cpu = _resolved(uv, Path(folder) / "cpu.txt", gpu, cuda, [])
        (cpu_build,) = generate.pins("torch-cpu.txt")
        if cpu_build.removesuffix("+cpu") not in cpu:
            raise SystemExit(f"lock: {cpu_build} is no longer locked; correct version and sha256 in torch-cpu.txt")
        embedded = generate.pins("embedded.txt")
        sums = wheel_sums(_listed(uv, Path(folder), [*gpu, *embedded]))
    for name, pins in (("gpu.txt", gpu), ("cpu.txt", cpu)):
        (HERE / name).write_text(HEAD.format(sources=SOURCES) + lines(pins, sums))
    comments = [line for line in (HERE / "embedded.txt").read_text().splitlines() if line.startswith("# ")]
    head = HEAD.splitlines(keepends=True)[1:]
    (HERE / "embedded.txt").write_text("\n".join(comments) + "\n" + "".join(head) + lines(embedded, sums))
    return generate.main([])


def lines(pins: Iterable[str], sums: dict[str, list[str]]) -> str:
    """The lines of a lock: each pin with the sha256 of every file that pip may choose for it.

    Raises:
        SystemExit: a pin has no wheel.
    """
    text = ""
    for pin in pins:
        if not sums.get(pin):
            raise SystemExit(f"lock: {pin} has no wheel for Linux on x86_64; choose another version or package")
        text += " ".join([pin, *(f"--hash=sha256:{one}" for one in sums[pin])]) + "\n"
    return text


def wheel_sums(listed: str) -> dict[str, list[str]]:
    """Pin -> sha256 of its wheels, sorted, of a list of files in the format ``pylock.toml``."""
    return {
        f"{package['name']}=={package['version']}": sorted(
            wheel["hashes"]["sha256"] for wheel in package.get("wheels", [])
        )
        for package in tomllib.loads(listed)["packages"]
    }


def _resolver(folder: Path) -> Path:
    venv.create(folder / "uv", with_pip=True)
    (folder / "uv.txt").write_text(UV + "\n")
    pip = [folder / "uv/bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:"]
    subprocess.run([*pip, "--requirement", folder / "uv.txt"], check=True)
    return folder / "uv/bin/uv"


def _resolved(
    uv: Path, output: Path, earlier: Iterable[str], without: Iterable[str], upgrade: Sequence[str]
) -> list[str]:
    """The pins of all that is needed, by the earlier ones where they are allowed."""
    output.write_text("\n".join(earlier) + "\n")
    left_out = output.with_suffix(".without")
    left_out.write_text("".join(f"{name} ; python_version < '3'\n" for name in without))
    needed = [HERE.parent / "pyproject.toml", "--extra", "dev", HERE / "lock.in"]
    other = ["--overrides", HERE / "overrides.txt", "--overrides", left_out]
    _compile(uv, *needed, *other, "--output-file", output, *upgrade)
    return [line for line in output.read_text().splitlines() if re.match(r"[\w.-]+==", line)]


def _listed(uv: Path, folder: Path, pins: Iterable[str]) -> str:
    """The files of each pin, as the registry lists them."""
    (folder / "pins.in").write_text("\n".join(pins) + "\n")
    output = folder / "pylock.toml"
    _compile(uv, "--no-deps", folder / "pins.in", "--format", "pylock.toml", "--output-file", output)
    return output.read_text()


def _compile(uv: Path, *arguments: str | Path) -> None:
    environment = os.environ | {"UV_CACHE_DIR": str(uv.parent / "cache")}
    command = [uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--no-annotate", *PLATFORM, *arguments]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
