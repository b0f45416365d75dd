"""Models over a network: continued, verified and put in place whole, from a server on this machine."""

import hashlib
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest
import yaml

from checkout import ROOT
from tracing.executed import definitions, traced
from waver.assets import entries, fetch
from waver.assets import manifest as assets
from waver.errors import WaverError
from waver.workflow.fingerprint import closure, followed

WEIGHTS = bytes(range(256)) * 4000
SUM = hashlib.sha256(WEIGHTS).hexdigest()


class Server(ThreadingHTTPServer):
    """Files by path, with ranges; ``cut`` ends the next answers early."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.asked, self.cut, self.ranges = {}, [], [], True

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if self.path not in server.files:
            self.send_error(404)
            return
        content = server.files[self.path]
        tag = f'"{hashlib.sha256(content).hexdigest()[:8]}"'
        first = int(self.headers.get("Range", "bytes=0-")[6:-1])
        whole = not server.ranges or self.headers.get("If-Range", tag) != tag
        first = 0 if whole else first
        if first >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        stop = server.cut.pop(0) if server.cut else len(content)
        self.wfile.write(content[first : first + stop])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetch, "_PAUSE_S", 0.0)
    with Server() as one:
        one.files["/w.pth"] = WEIGHTS
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        yield one
        one.shutdown()


@pytest.fixture
def manifest(server, tmp_path, monkeypatch):
    """Writes a manifest of one model; its files' keys differ from those of /w.pth as given."""

    def write(*files, **about):
        default = {
            "name": "w.pth",
            "sha256": SUM,
            "size_bytes": len(WEIGHTS),
            "sources": [{"url": server.url("/w.pth")}],
        }
        entry = {"role": "vggish", "set": "paper", "title": "a model", "licence": "MIT", "origin": "here"} | about
        (tmp_path / "manifest.yaml").write_text(
            yaml.safe_dump({"model": entry | {"files": [default | f for f in files]}})
        )
        entries.manifest.cache_clear()
        return tmp_path / "models/model"

    monkeypatch.setattr(entries, "MANIFEST", tmp_path / "manifest.yaml")
    yield write
    entries.manifest.cache_clear()


def test_a_broken_connection_continues_where_it_broke(server, tmp_path):
    server.cut = [300_000, 200_000]
    fetch.download(server.url("/w.pth"), tmp_path / "w.pth")
    assert (tmp_path / "w.pth").read_bytes() == WEIGHTS
    assert [requested for _, requested in server.asked] == [None, "bytes=300000-", "bytes=500000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["w.pth"]


def test_a_killed_job_continues_and_a_server_without_ranges_begins_again(server, manifest, tmp_path):
    folder = manifest({})
    part = fetch.part_of(folder.with_name(".model.part") / "w.pth")
    for ranges, expected in ((True, "bytes=1000-"), (False, "bytes=1000-")):
        server.ranges, server.asked = ranges, []
        part.parent.mkdir(parents=True)
        part.write_bytes(WEIGHTS[:1000])
        record = assets.fetch("model", folder, [])
        assert server.asked == [("/w.pth", expected)]
        assert (folder / "w.pth").read_bytes() == WEIGHTS
        assert assets.installed(folder / "asset.json") == record
        assert record.files == {"w.pth": SUM}
        assert sorted(path.name for path in folder.parent.iterdir()) == ["model"]
        shutil.rmtree(folder)


@pytest.mark.parametrize("kept", [b"x" * 1000, b"x" * (len(WEIGHTS) + 1)])
def test_what_was_kept_of_another_file_is_dropped(server, manifest, kept):
    folder = manifest({})
    part = fetch.part_of(folder.with_name(".model.part") / "w.pth")
    part.parent.mkdir(parents=True)
    part.write_bytes(kept)
    assets.fetch("model", folder, [])
    assert (folder / "w.pth").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sha256": "0" * 64}, f"sha256 {SUM[:12]}, expected 000000000000"),
        ({"size_bytes": 5}, "1024000 bytes instead of 5"),
    ],
)
def test_other_bytes_are_refused_and_nothing_stays(manifest, wrong, told):
    folder = manifest(wrong)
    with pytest.raises(WaverError, match=told):
        assets.fetch("model", folder, [])
    assert not folder.exists()
    assert not list(folder.parent.rglob("w.pth*"))


def test_a_model_is_there_whole_or_not_at_all(server, manifest):
    other = {"name": "config.json", "sources": [{"url": server.url("/c.json")}], "sha256": "", "size_bytes": None}
    folder = manifest({}, other)
    message = (
        r"config\.json of model \(size not stated, licence: MIT\) could not be fetched: .*404 Not Found; where there "
        r"is a network, give: \.venv/bin/snakemake --cores 1 models .*; or give the model under models\.paths\.vggish"
    )
    with pytest.raises(WaverError, match=message):
        assets.fetch("model", folder, [])
    assert not folder.exists()
    server.files["/c.json"], server.asked = b"{}", []
    record = assets.fetch("model", folder, [])
    assert server.asked == [("/c.json", None)]  # the other file is kept
    # where no sum is published, the one of what came is held from there on
    assert record.files == {"w.pth": SUM, "config.json": hashlib.sha256(b"{}").hexdigest()}
    (folder / "config.json").write_bytes(b"[]")
    with pytest.raises(WaverError, match="other bytes"):
        assets.installed(folder / "asset.json")


def test_a_model_that_is_there_is_not_fetched_again(server, manifest):
    folder = manifest({})
    assets.fetch("model", folder, [])
    server.asked = []
    (folder / "asset.json").unlink()  # as before a job that runs again
    assets.fetch("model", folder, [])
    assert server.asked == []
    (folder / "w.pth").write_bytes(b"damaged")
    assert assets.fetch("model", folder, []).files == {"w.pth": SUM}
    assert len(server.asked) == 1
    assert (folder / "w.pth").read_bytes() == WEIGHTS


def test_the_next_source_is_tried_and_a_file_is_taken_out_of_an_archive(server, manifest):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pack/w.pth", WEIGHTS)
    server.files["/pack.zip"] = packed.getvalue()
    sources = [{"url": server.url("/gone")}, {"url": server.url("/pack.zip"), "member": "*.pth"}]
    folder = manifest({"sources": sources})
    assets.fetch("model", folder, [])
    assert (folder / "w.pth").read_bytes() == WEIGHTS
    shutil.rmtree(folder)
    folder = manifest({"sources": [{"url": server.url("/w.pth"), "member": "w.pth"}]})
    with pytest.raises(WaverError, match=r"no archive with w\.pth"):
        assets.fetch("model", folder, [])


def test_an_archive_of_more_than_is_expected_is_not_unpacked(server, manifest):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.pth", bytes(10_000_000))
    server.files["/pack.zip"] = packed.getvalue()
    folder = manifest({"sources": [{"url": server.url("/pack.zip"), "member": "*.pth"}]})
    with pytest.raises(WaverError, match="it has more than"):
        assets.fetch("model", folder, [])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_that_may_fill_the_memory_is_not_unpacked(server, manifest, method):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("w.pth", WEIGHTS)
    server.files["/pack.zip"] = packed.getvalue()
    folder = manifest({"sources": [{"url": server.url("/pack.zip"), "member": "*.pth"}]})
    with pytest.raises(WaverError, match="by another method than deflate"):
        assets.fetch("model", folder, [])


def test_a_hub_is_asked_for_the_commit_and_may_be_a_mirror(server, manifest, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", server.url("/"))
    server.files["/somebody/model/resolve/c0ffee/deep/w.pth"] = WEIGHTS
    folder = manifest({"sources": [{"hub": "somebody/model", "revision": "c0ffee", "path": "deep/w.pth"}]})
    assert assets.fetch("model", folder, []).files == {"w.pth": SUM}


def test_a_licence_that_forbids_some_uses_has_to_be_accepted(server, manifest):
    folder = manifest({}, restricted="no-shops", licence="for research alone")
    with pytest.raises(WaverError, match=r"w\.pth \(1 MB\).*for research alone.*models\.accept_licences: \[no-shops\]"):
        assets.fetch("model", folder, ["another"])
    assert not server.asked
    assets.fetch("model", folder, ["no-shops"])


def test_what_is_no_package_is_not_installed_from_a_network(server, manifest):
    folder = manifest({})
    assert entries.manifest()["model"].fetched
    with pytest.raises(WaverError, match=r"no source of model/w\.pth"):
        assets.install("model", folder, {})
    assert not server.asked


def test_the_manifest_pins_what_it_fetches():
    for name, asset in entries.manifest().items():
        for file in asset.files:
            for source in file.sources:
                assert sum(map(bool, (source.module, source.hub, source.url))) == 1, name
                assert not source.address or source.address.startswith("https://"), name
                assert not source.hub or (asset.set == "embedded") or len(source.revision or "") == 40, name
            # a package may be replaced by its author at any time
            assert file.sha256 or not any(source.module for source in file.sources), name


def test_what_fetches_is_in_the_fingerprint_of_its_rule(server, manifest, tmp_path):
    folder = manifest({"sources": [{"url": server.url("/gone")}, {"url": server.url("/w.pth")}]})
    traced(lambda: assets.fetch("model", folder, []), tmp_path / "trace")
    ran = {one for one in definitions(tmp_path / "trace") if followed(one)}
    assert len(ran) > 10
    assert ran - set(closure([], ROOT / "workflow/scripts/models_fetch.py")) == set()
