"""Files of models over a network: the one place where Waver asks another computer.

What has arrived of a file is kept next to it, and a broken connection or a killed job continues there (HTTP ranges).
A file is put in place only when its size and sha256 are those of the manifest.
"""

from __future__ import annotations

import fnmatch
import http.client
import logging
import shutil
import time
import zipfile
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from waver.assets.entries import AssetFile, Source
from waver.errors import WaverError
from waver.provenance import file_sha256

log = logging.getLogger(__name__)

_PIECE = 1 << 20
_ATTEMPTS = 5
_PAUSE_S = 2.0
"""Before the second attempt; doubled before each further one."""
_TIMEOUT_S = 60.0
_BEYOND = 416
"""Status: the range that was asked for begins behind the end of the file."""
_WORTH_REPEATING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Broken(Exception):
    """The connection failed or ended early."""


def fetch_file(file: AssetFile, kept: Path) -> Path:
    """Fetch one file of the manifest, verified.

    Args:
        file: the first of its network sources that gives the right bytes is used.
        kept: folder in which unfinished files stay; it is created.

    Returns:
        The complete file, inside ``kept``.

    Raises:
        WaverError: no source gives it; the message joins what each of them did.
        OSError: it cannot be written.
    """
    complete = kept / file.name
    if complete.exists() and not _difference(complete, file):  # by an earlier job, which lacked another file
        return complete
    problems = []
    for source in (source for source in file.sources if source.address):
        try:
            return _from_archive(source, file, kept) if source.member else _whole(source.address, file, kept)
        except WaverError as error:
            problems.append(str(error))
    raise WaverError("; ".join(problems) or "no source of it is on a network")


def _whole(address: str, file: AssetFile, kept: Path) -> Path:
    target = kept / file.name
    continued = part_of(target).exists()
    download(address, target)
    problem = _difference(target, file)
    if problem and continued:  # what was kept may have been of another file
        target.unlink()
        download(address, target)
        problem = _difference(target, file)
    if problem:
        target.unlink()
        raise WaverError(f"{address} gave {problem}")
    return target


def _from_archive(source: Source, file: AssetFile, kept: Path) -> Path:
    archive, target = kept / f"{file.name}.archive", kept / file.name
    download(source.address, archive)
    try:
        with zipfile.ZipFile(archive) as pack, open(target, "wb") as out:
            (member,) = fnmatch.filter(pack.namelist(), str(source.member))
            # deflate makes at most a thousand bytes of one; the others fill the memory from a few
            if pack.getinfo(member).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is packed by another method than deflate")
            if file.size_bytes and pack.getinfo(member).file_size > file.size_bytes:
                raise ValueError(f"it has more than {file.size_bytes} bytes")
            with pack.open(member) as inner:
                shutil.copyfileobj(inner, out, _PIECE)
        problem = _difference(target, file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        problem = f"no archive with {source.member} ({error})"
    archive.unlink()
    if problem:
        target.unlink(missing_ok=True)
        raise WaverError(f"{source.address} gave {problem}")
    return target


def _difference(path: Path, file: AssetFile) -> str:
    """What a fetched file has instead of what the manifest states; empty where nothing differs."""
    size = path.stat().st_size
    if file.size_bytes and size != file.size_bytes:
        return f"{size} bytes instead of {file.size_bytes}"
    actual = file_sha256(path)
    return f"sha256 {actual[:12]}, expected {file.sha256[:12]}" if file.sha256 and actual != file.sha256 else ""


def part_of(target: Path) -> Path:
    """Where what has arrived of a file is kept."""
    return target.with_name(f"{target.name}.part")


def download(address: str, target: Path) -> None:
    """Bring what an address holds into a file, from where an earlier call stopped.

    Args:
        address: ``https`` URL.
        target: created with its folder, when all has arrived.

    Raises:
        WaverError: the server refuses, or the connection breaks again and again.
        OSError: the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        try:
            _continue(address, part_of(target))
            part_of(target).replace(target)
            return
        except HTTPError as error:
            if error.code not in _WORTH_REPEATING:
                raise WaverError(f"{address} answers {error.code} {error.reason}") from error
            problem = f"{error.code} {error.reason}"
        except _Broken as error:
            problem = str(error)
        if attempt + 1 < _ATTEMPTS:
            log.info("%s: %s; %d bytes are here, the rest is asked for again", address, problem, _size(target))
            time.sleep(_PAUSE_S * 2**attempt)
    raise WaverError(f"{address} cannot be fetched ({problem})")


def _size(target: Path) -> int:
    return part_of(target).stat().st_size if part_of(target).exists() else 0


def _continue(address: str, part: Path) -> None:
    """Append to ``part`` what is missing; from the beginning where the server has another version by now."""
    tag = part.with_name(f"{part.name}.etag")
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "waver", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if tag.exists():
            headers["If-Range"] = tag.read_text()
    try:
        answer = urlopen(Request(address, headers=headers), timeout=_TIMEOUT_S)
    except HTTPError as error:
        error.close()
        if error.code == _BEYOND and have:
            part.unlink()
            tag.unlink(missing_ok=True)
            raise _Broken("the file at the address is shorter than what was kept of it") from error
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(getattr(error, "reason", error))) from error
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        etag = answer.headers.get("ETag", "")
        if etag and not etag.startswith("W/"):  # a weak one does not promise the same bytes
            tag.write_text(etag)
        length = answer.headers.get("Content-Length")
        with open(part, "ab" if resumed else "wb") as out:
            while piece := _read(answer):
                out.write(piece)
            here = out.tell()
    if length is not None and here != int(length) + have * resumed:
        raise _Broken("the connection ended early")
    tag.unlink(missing_ok=True)


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from error
