"""The checks that need no data: style, types, workflow lint, generated files, direction of imports."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ORDER = [
    {"evaluation.decision", "evaluation.metrics"},
    {"errors", "shapes", "provenance", "records", "registry", "modalities", "config", "device", "io"}
    | {
        f"workflow.{leaf}"
        for leaf in (
            "data_files",
            "definitions",
            "environment",
            "fingerprint",
            "import_effects",
            "job",
            "paths",
            "references",
            "shapes",
        )
    }
    | {"workflow.sensitivity"},
    {"assets"},
    {"datasets"},
    {"zeroshot.answers", "zeroshot.prompts"},
    {"cluster"},
    {"models"},
    {"features"},
    {"align"},
    {"store"},
    {"training"},
    {"evaluation"},
    {"adaptation", "zeroshot"},
    {"report"},
    {"workflow"},
    {"predict"},
    {"withdrawal"},
    {"cli", "__main__"},
]
SMK = ["Snakefile", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "rules").glob("*.smk"))]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["mypy", "src/waver"],
        ["snakefmt", "--check", *SMK],
        ["codespell"],
        ["snakemake", "--lint", "--configfile", "config/presets/demo.yaml"],
        ["python", "-m", "waver.config.generate", "--check"],
        ["python", "envs/generate.py", "--check"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_tool_is_content(command):
    result = run(str(BIN / command[0]), *command[1:])
    assert result.returncode == 0, result.stdout + result.stderr


def room(module: str) -> int:
    """Number of the layer of a module, of its longest name that is listed."""
    parts = module.removeprefix("waver.").split(".")
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return next((number for name in names for number, rooms in enumerate(ORDER) if name in rooms), -1)


def test_rooms_import_only_from_rooms_before_them():
    wrong = []
    for path in (ROOT / "src/waver").rglob("*.py"):
        own = room(".".join(path.relative_to(ROOT / "src").with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text())):
            names = [f"{node.module}.{a.name}" for a in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{path.relative_to(ROOT)}: {n}" for n in names if n.startswith("waver.") and room(n) > own]
    assert wrong == []


def test_a_script_is_named_after_its_rule_and_every_script_is_used():
    used = set()
    for path in (ROOT / "rules").glob("*.smk"):
        rule = ""
        for line in path.read_text().splitlines():
            found = re.match(r" *(?:rule|checkpoint) (\w+):", line)
            rule = found.group(1) if found else rule
            script = re.search(r"scripts/(\w+)\.py", line)
            if script:
                assert script.group(1) == rule
                used.add(rule)
    assert used == {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")}


def test_scripts_are_thin():
    for path in (ROOT / "workflow/scripts").glob("*.py"):
        tree = ast.parse(path.read_text())
        assert not [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.If, ast.FunctionDef))], path
        assert len(path.read_text().splitlines()) <= 32, path


def test_pins_of_all_environments_agree():
    sys.path.insert(0, str(ROOT / "envs"))
    from generate import pins

    cpu = dict(pin.split("==") for pin in pins("cpu.txt"))
    gpu = dict(pin.split("==") for pin in pins("gpu.txt"))
    shared = set(cpu) & set(gpu)
    assert {name: cpu[name] for name in shared} == {name: gpu[name] for name in shared}
    assert set(cpu) <= set(gpu), "a package of the CPU environment is missing on GPU"
    script = (ROOT / "envs/waver.post-deploy.sh").read_text()
    assert all(f"\n{name}=={version} --hash" in script for name, version in cpu.items())
    assert "onnxruntime" not in cpu
    assert "torchvision" not in cpu


def test_installed_packages_are_those_of_the_lock():
    sys.path.insert(0, str(ROOT / "envs"))
    from importlib.metadata import PackageNotFoundError, version

    from generate import pins

    wrong = []
    for pin in [*pins("cpu.txt"), *pins("embedded.txt")]:
        name, wanted = pin.split("==")
        try:
            if version(name).split("+")[0] != wanted:
                wrong.append(f"{name} {version(name)}, wanted {wanted}")
        except PackageNotFoundError:
            wrong.append(f"{name} is missing")
    assert wrong == []


def test_nothing_heavy_is_imported_while_the_workflow_is_planned():
    imports = re.findall(r"^from waver\S* import .*$", (ROOT / "rules/common.smk").read_text(), re.MULTILINE)
    assert any("flow" in line for line in imports)
    heavy = "print([m for m in ('torch', 'cv2', 'zarr') if m in sys.modules])"
    assert run(sys.executable, "-c", "\n".join(["import sys", *imports, heavy])).stdout.strip() == "[]"


def test_rules_declare_and_the_library_decides():
    assert len((ROOT / "rules/common.smk").read_text().splitlines()) <= 60
    functions = [name for file in SMK for name in re.findall(r"^\s*def (\w+)", (ROOT / file).read_text(), re.MULTILINE)]
    assert functions == ["stop_with_a_sentence"]


def test_no_file_of_the_library_is_longer_than_three_hundred_lines():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "src/waver").rglob("*.py")}
    assert {path.name: count for path, count in lines.items() if count > 300} == {}
