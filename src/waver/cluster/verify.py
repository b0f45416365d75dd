"""Every byte of stores and packs, and of what runs recorded of their files, read and checked.

The command is ``waver verify [PATH ...] [--configfile X]``. It lists stores that are damaged, stores that an index
lists and that are not there, and folders that an earlier version of Waver wrote. With ``--delete`` it removes what is
damaged or of an earlier version; the next run makes it again. Of a run (``results/<run>``), a data set and the output
of ``waver predict`` it lists the files whose sha256 is not the recorded one, and never removes them: somebody may have
edited them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from waver.cluster.recorded_files import changed_files
from waver.cluster.settings import add_config_arguments, read_config
from waver.errors import WaverError
from waver.io.store_file import Damage, FileReader

_AT_ONCE = 4
"""Stores read at once: a network file system answers several requests in the time of one."""


@dataclass(frozen=True)
class Found:
    """What is wrong with a store.

    Attributes:
        store: its path.
        problem: in words; empty where it is whole.
        there: it can be removed.
    """

    store: Path
    problem: str = ""
    there: bool = True


def stores_below(root: Path) -> Iterator[Path]:
    """Finished stores and packs in a folder, or the one that is named; sorted."""
    if root.suffix == ".zarr":
        yield root
        return
    for path in sorted(root.rglob("*.zarr")):
        if not path.name.startswith(".") and not any(parent.suffix == ".zarr" for parent in path.parents):
            yield path


def check(store: Path) -> Found:
    """Read a store to its end."""
    try:
        FileReader(store).check()
    except IsADirectoryError:
        return Found(store, "a folder, of an earlier version of Waver")
    except FileNotFoundError:
        return Found(store, "missing", there=False)
    except Damage as damage:
        return Found(store, f"damaged: {damage}")
    except OSError as error:
        return Found(store, f"cannot be read: {error.strerror}", there=False)
    return Found(store)


def verify(roots: Sequence[Path]) -> list[Found]:
    """Check all stores in some folders, and that all are there that the indexes in them list.

    Args:
        roots: folders, or single stores.

    Raises:
        WaverError: one of them does not exist.
    """
    from waver.cluster.recover import missing  # it loads Zarr, which help needs not

    for root in roots:
        if not root.exists():
            raise WaverError(f"{root} does not exist; give a folder that holds stores, e.g. resources/demo")
    stores = [store for root in roots for store in stores_below(root)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(check, stores))
    gone = [store for root in roots for index in sorted(root.rglob("*.parquet")) for store in missing(index)]
    whole = {one.store: not one.problem for one in found}
    other = {store: Found(store, "not the one that its index lists") for store in gone if whole.get(store)}
    lost = [Found(store, "missing", there=False) for store in gone if store not in whole]
    return [other.get(one.store, one) for one in found] + lost


def _remove(store: Path) -> None:
    if store.is_dir() and not store.is_symlink():
        shutil.rmtree(store)
    else:
        store.unlink(missing_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """List what is wrong; 0 where nothing is, or all of it was removed.

    Raises:
        WaverError: see ``verify``; or there is nothing whose sum is recorded.
    """
    parser = argparse.ArgumentParser(prog="waver verify", description=__doc__.split("\n")[0])
    parser.add_argument(
        "path", nargs="*", type=Path, help="folder or store [the config's data set and run; else resources and results]"
    )
    parser.add_argument("--delete", action="store_true", help="remove what is damaged; the next run makes it again")
    add_config_arguments(parser)
    given = parser.parse_args(arguments)
    config = read_config(given.configfile, given.config)
    named = [Path("resources"), Path("results")]
    if given.configfile or given.config:
        named = [Path("resources", config.dataset.name), Path("results", config.run)]
    roots = given.path or [named[0], *(path for path in named[1:] if path.exists())]
    found = verify(roots)
    wrong = [one for one in found if one.problem]
    for one in wrong:
        if given.delete and one.there:
            _remove(one.store)
        sys.stdout.write(f"{one.store}: {one.problem}{'; removed' if given.delete and one.there else ''}\n")
    sys.stdout.write(f"{len(found)} stores, {len(found) - len(wrong)} of them whole\n")
    changed, recorded = changed_files(roots)
    if not found and not recorded:
        looked_in = ", ".join(map(str, roots))
        raise WaverError(f"{looked_in}: nothing in it has a recorded sum; give results/<run> or resources/<data set>")
    if recorded:
        sys.stdout.writelines(f"{line}\n" for line in changed)
        sys.stdout.write(f"{recorded} recorded files, {recorded - len(changed)} of them as they were written\n")
    left = [one for one in wrong if not given.delete or not one.there]
    if left:
        sys.stdout.write("what is damaged: waver verify --delete, then run again; what is missing is made by a run\n")
    return 1 if left or changed else 0
