import textwrap

import pytest

from waver import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of the same name elsewhere: a imports b, b imports c, d stands alone."""
    folder = tmp_path / "waver"
    folder.mkdir()
    monkeypatch.setattr(provenance, "SOURCE", folder)

    def write(**modules):
        for cached in (provenance._fingerprint, provenance._closure, provenance._imports, provenance.script_version):
            cached.cache_clear()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(text))

    write(a="from waver import b\n", b="import waver.c\n", c="def f():\n    return 1\n", d="x = 1\n")
    yield write
    for cached in (provenance._fingerprint, provenance._closure, provenance._imports, provenance.script_version):
        cached.cache_clear()


def test_a_change_in_a_deep_import_changes_the_version(package):
    before = provenance.code_version("waver.a")
    package(c="def f():\n    return 2\n")
    assert provenance.code_version("waver.a") != before


def test_comments_docstrings_and_layout_do_not_count(package):
    before = provenance.code_version("waver.a")
    package(c='"""What it is."""\n\n\ndef f():  # a comment\n    """Says one."""\n    return (1)\n')
    assert provenance.code_version("waver.a") == before


def test_a_module_that_is_not_imported_does_not_count(package):
    before = provenance.code_version("waver.a")
    package(d="x = 2\n")
    assert provenance.code_version("waver.a") == before


def test_imports_inside_functions_count(package):
    package(d="def f():\n    from waver.c import f as g\n    return g\n")
    before = provenance.code_version("waver.d")
    package(c="def f():\n    return 3\n")
    assert provenance.code_version("waver.d") != before


def test_the_config_is_not_followed_for_its_values_are_in_the_params(package):
    (provenance.SOURCE / "config").mkdir()
    package(**{"d": "from waver.config.sections import X\n", "config/sections": "X = 1\n"})
    before = provenance.code_version("waver.d")
    package(**{"config/sections": "X = 1\nY = 2\n"})
    assert provenance.code_version("waver.d") == before


def test_a_class_named_in_a_registry_is_accepted(package):
    assert provenance.code_version("waver.c:f") == provenance.code_version("waver.c")


def test_seeds_depend_on_names_alone():
    assert provenance.seed_for(0, "adapt", "shot") == provenance.seed_for(0, "adapt", "shot")
    assert provenance.seed_for(0, "adapt", "shot") != provenance.seed_for(0, "adapt", "nrc")
    assert 0 <= provenance.seed_for("x") < 2**31
