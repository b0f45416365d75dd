"""Processes that begin together share no cache: neither the Python environment nor the home folder is written to."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from waver.workflow import environment

PROSODY = """
import sys
from pathlib import Path
from waver.workflow import environment
environment.READY = Path(sys.argv[1])
folder = environment.set_environment()
print(folder)
import numpy as np
from waver.features.audio.prosody import prosody
time_s = np.arange(16000, dtype=np.float32) / 16000
print(prosody(np.sin(2 * np.pi * 220 * time_s), 24).tobytes().hex())
print(len(list(folder.rglob("*.nbc"))))
"""
SHOWN = """
import os
from waver.workflow.environment import set_environment
set_environment()
import matplotlib, numba.core.config as numba, huggingface_hub.constants as hub
from torch._inductor.runtime.cache_dir_utils import cache_dir
print(matplotlib.get_cachedir(), matplotlib.get_configdir(), numba.CACHE_DIR, hub.HF_HOME, cache_dir(), sep="\\n")
"""


def _process(program: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process with an empty home folder, which may write bytecode if it dares."""
    home, temporary = folder / "home", folder / "tmp"
    home.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    own = {
        name: value for name, value in os.environ.items() if name not in (*environment.FOLDERS, *environment.SETTINGS)
    }
    own |= {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen([sys.executable, "-c", program, *arguments], env=own, stdout=subprocess.PIPE, text=True)


def _of_packages(*names: str) -> set[tuple[str, int]]:
    """Files of some packages with the time of their last change of any kind."""
    packages = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    files = (file for name in names for file in (packages / name).rglob("*") if file.is_file())
    return {(str(file), file.stat().st_ctime_ns) for file in files}


@pytest.mark.slow
def test_two_first_jobs_compile_each_for_itself(tmp_path):
    before = _of_packages("librosa", "numba")
    both = [_process(PROSODY, tmp_path, str(tmp_path / "nothing ready")) for _ in range(2)]
    (folder, pitch, compiled), (other, same_pitch, _) = (process.communicate()[0].split() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert pitch == same_pitch
    assert folder != other
    assert int(compiled) > 0
    assert _of_packages("librosa", "numba") == before
    assert not list((tmp_path / "home").iterdir())
    assert not list((tmp_path / "tmp").iterdir()), "a process leaves its caches behind"


def test_the_folder_of_a_killed_process_goes_with_the_next_process(tmp_path):
    begun = (
        "import sys, time\nfrom waver.workflow.environment import set_environment\n"
        "print(set_environment(), flush=True)\n"
    )
    killed, alive = (_process(begun + "time.sleep(60)", tmp_path) for _ in range(2))
    gone, kept = (Path(process.stdout.readline().strip()) for process in (killed, alive))
    killed.kill()
    killed.wait()
    assert gone.is_dir()
    own, _ = _process(begun, tmp_path).communicate()
    assert list((tmp_path / "tmp").iterdir()) == [kept]
    assert own.strip() != str(gone)
    alive.kill()
    alive.wait()


@pytest.mark.slow
@pytest.mark.skipif(not environment.READY.is_dir(), reason="envs/precompile.py did not run for this environment")
def test_what_the_environment_holds_ready_is_not_compiled_again(tmp_path):
    ready = len(list(environment.READY.rglob("*.nbc")))
    process = _process(PROSODY, tmp_path, str(environment.READY))
    _, _, compiled = process.communicate()[0].split()
    assert process.returncode == 0
    assert int(compiled) == ready > 0


@pytest.mark.slow
def test_libraries_look_for_their_caches_in_the_folder_of_the_process(tmp_path):
    process = _process(SHOWN, tmp_path)
    folders = process.communicate()[0].split()
    assert process.returncode == 0
    assert len(folders) == 5
    for folder in folders:
        assert folder.startswith(f"{tmp_path}/tmp/waver-caches-"), folder
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("script", sorted((ROOT / "workflow/scripts").glob("*.py")), ids=lambda path: path.stem)
def test_a_script_has_its_caches_before_it_imports_anything_else(script):
    tree = ast.parse(script.read_text())
    modules = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    standard = set(sys.stdlib_module_names)
    first = next(module for module in modules if module.split(".")[0] not in standard)
    assert first == "waver.workflow.job"
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= standard
