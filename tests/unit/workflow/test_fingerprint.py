"""What changes a fingerprint of code and what does not, on a small package that stands where Waver's own would."""

from __future__ import annotations

import pytest

from waver.errors import WaverError
from waver.workflow import definitions, fingerprint

BASE = {
    "job": """
        import numpy as np
        from waver import tool
        from waver.parts import Part, half as divided

        LIMITS = (1, 2)

        def run(values):
            \"\"\"Say what it does.\"\"\"
            return [Part(divided(v)).size + tool.offset(v) for v in np.sort(values)]

        def other():
            return LIMITS
    """,
    "parts": """
        from dataclasses import dataclass

        @dataclass
        class Part:
            size: int = 3

            def grown(self) -> int:
                return self.size + STEP

        STEP = 1

        def half(value: float) -> float:
            return value / 2

        def unused():
            return 0
    """,
    "tool": """
        OFFSET = 4

        def offset(value):
            return value + OFFSET
    """,
}


def changed(name, before, after, base=BASE):
    assert before in base[name]
    return base | {name: base[name].replace(before, after)}


COUNTS = {
    "a function, deep": ("parts", "value / 2", "value / 3"),
    "a constant, deep": ("tool", "OFFSET = 4", "OFFSET = 5"),
    "a method": ("parts", "self.size + STEP", "self.size - STEP"),
    "what a method refers to": ("parts", "STEP = 1", "STEP = 2"),
    "a field's default": ("parts", "size: int = 3", "size: int = 4"),
    "a new field": ("parts", "size: int = 3", "size: int = 3\n            more: int = 0"),
    "a field becomes one of the class": ("parts", "size: int = 3", "size: ClassVar[int] = 3"),
    "a decorator": ("parts", "@dataclass\n", "@dataclass(frozen=True)\n"),
    "another library's function": ("job", "np.sort", "np.unique"),
    "the same name from another library": ("job", "import numpy as np", "import torch as np"),
    "another definition of the same kind": ("job", "divided(v)", "tool.offset(v)"),
    "what is passed to it": ("job", "divided(v)", "divided(v + 1)"),
    "what runs on import beside definitions": ("tool", "OFFSET = 4", "OFFSET = 4\n        print(OFFSET)"),
    "a table is changed after it was made": ("tool", "OFFSET = 4", "OFFSET = 4\n        OFFSET += 1"),
}
DOES_NOT_COUNT = {
    "nothing": ("job", "run", "run"),
    "a docstring": ("job", "Say what it does.", "Say it better."),
    "a comment": ("tool", "OFFSET = 4", "OFFSET = 4  # of the clock"),
    "layout": ("tool", "value + OFFSET", "(\n                value\n                + OFFSET\n            )"),
    "an annotation of a function": ("parts", "value: float) -> float", "value: int) -> 'Part'"),
    "an annotation of a constant": ("tool", "OFFSET = 4", "OFFSET: int = 4"),
    "an annotation of a dataclass's field": ("parts", "size: int", "size: float"),
    "an unused function": ("parts", "return 0", "return 1"),
    "an unused constant": ("job", "(1, 2)", "(1, 3)"),
    "another function of the same module": ("job", "return LIMITS", "return LIMITS[0]"),
    "an unused import": ("tool", "OFFSET = 4", "import json\n        OFFSET = 4"),
    "an import within a function": (
        "tool",
        "return value + OFFSET",
        "import json\n\n            return value + OFFSET",
    ),
    "the name of an import": ("job", "half as divided", "half as divided, unused"),
    "a new definition": ("tool", "OFFSET = 4", "OFFSET = 4\n\n        def more():\n            return 1"),
}


@pytest.mark.parametrize("change", COUNTS.values(), ids=COUNTS)
def test_what_a_job_executes_counts(version, change):
    assert version(BASE) != version(changed(*change))


@pytest.mark.parametrize("change", DOES_NOT_COUNT.values(), ids=DOES_NOT_COUNT)
def test_what_it_does_not_execute_does_not_count(version, change):
    assert version(BASE) == version(changed(*change))


def test_names_of_imports_do_not_count(version):
    files = changed("job", "np.", "numpy.", changed("job", "import numpy as np", "import numpy"))
    files = changed("job", "divided(", "half(", changed("job", "half as divided", "half", files))
    assert version(files) == version(BASE)


def test_a_module_is_moved(version):
    files = {name: text for name, text in BASE.items() if name != "parts"} | {"deep/er/pieces": BASE["parts"]}
    assert version(changed("job", "waver.parts", "waver.deep.er.pieces", files)) == version(BASE)


def test_a_module_used_by_its_name_is_renamed(version):
    files = {"gear": BASE["tool"], "parts": BASE["parts"], "job": BASE["job"].replace("tool", "gear")}
    assert version(files) == version(BASE)


def test_the_entry_itself_is_moved(version):
    files = {name: text for name, text in BASE.items() if name != "job"} | {"stage/work": BASE["job"]}
    assert version(files, "waver.stage.work:run") == version(BASE)


def test_two_modules_are_merged(version):
    job = BASE["job"].replace("from waver import tool", "import json").replace("Part,", "Part, offset,")
    files = {"parts": BASE["parts"] + BASE["tool"], "job": job.replace("tool.offset", "offset")}
    assert version(files) == version(BASE)


def test_a_function_and_a_constant_are_renamed(version):
    files = {name: text.replace("half", "halved").replace("OFFSET", "SHIFT") for name, text in BASE.items()}
    assert version(files) == version(BASE)


def test_a_definition_handed_on_by_a_package_is_found_where_it_is(version):
    files = changed(
        "job", "waver.parts", "waver.shop", BASE | {"shop/__init__": "from waver.parts import Part, half\n"}
    )
    assert version(files) == version(BASE)
    assert version(files | {"parts": BASE["parts"].replace("/ 2", "/ 3")}) != version(files)


def test_an_import_within_a_function_is_followed(version):
    body = "def run():\n    from waver.tool import offset as shift\n\n    return shift(1)\n"
    files = BASE | {"job": body}
    assert version(files) != version(files | {"tool": BASE["tool"].replace("value + OFFSET", "value - OFFSET")})


def test_a_functions_own_variable_is_no_reference(version):
    body = "from waver.tool import OFFSET, offset\n\ndef run(offset):\n    return [OFFSET for OFFSET in offset]\n"
    files = BASE | {"job": body}
    assert version(files) == version(files | {"tool": BASE["tool"].replace("OFFSET = 4", "OFFSET = 5")})


def test_two_functions_that_call_each_other(version):
    pair = "def run(n):\n    return n and back(n - 1)\n\ndef back(n):\n    return n and run(n - 2)\n"
    assert version({"job": pair}) != version({"job": pair.replace("n - 2", "n - 3")})
    assert version({"job": pair}) == version({"job": pair.replace("back", "again")})


def test_which_of_two_functions_of_the_same_tree_is_called_counts(version):
    """They differ in what they refer to in turn, however deep."""
    text = "def run(x):\n    return a(x)\n\ndef again(x):\n    return b(x)\n\ndef a(x):\n    return p(x)\n\n"
    text += "def b(x):\n    return q(x)\n\ndef p(x):\n    return 1\n\ndef q(x):\n    return 2\n\nBOTH = (run, again)\n"
    assert version({"job": text}, "waver.job:BOTH") != version(
        {"job": text.replace("(run, again)", "(again, run)")}, "waver.job:BOTH"
    )


def test_names_of_one_statement_are_told_apart(version):
    text = "LOW, HIGH = 1, 2\n\ndef run():\n    return LOW\n"
    assert version({"job": text}) != version({"job": text.replace("return LOW", "return HIGH")})


def test_annotations_of_a_model_of_pydantic_count_for_they_decide_what_it_takes(version):
    text = (
        "from waver.base import Base\n\nclass Options(Base):\n    size: int = 1\n\ndef run():\n    return Options()\n"
    )
    files = {"base": "import pydantic\n\nclass Base(pydantic.BaseModel):\n    pass\n", "job": text}
    assert version(files) != version(files | {"job": text.replace("int", "float")})


def test_a_function_that_registers_itself_counts_for_those_who_refer_to_its_module(version):
    tool = BASE["tool"] + "\n        @offset.register\n        def _(value: str):\n            return 1\n"
    assert version(BASE | {"tool": tool}) != version(BASE | {"tool": tool.replace("return 1", "return 2")})


def test_a_registry_is_not_followed_but_its_functions_are(version):
    registry = 'TABLE = {"a": "waver.tool:offset"}\n\ndef load(name):\n    return TABLE[name]\n'
    files = BASE | {
        "registry": registry,
        "job": "from waver.registry import load\n\ndef run():\n    return load('a')\n",
    }
    more = registry.replace("}", ', "b": "waver.tool:OFFSET"}')
    assert version(files) == version(files | {"registry": more})
    assert version(files) != version(files | {"registry": registry.replace("TABLE[name]", "TABLE[name].strip()")})


def test_the_config_is_not_followed_for_its_values_are_in_the_params(version):
    files = BASE | {
        "config/sections": "X = 1\n",
        "job": "from waver.config.sections import X\n\ndef run():\n    return X\n",
    }
    assert version(files) == version(files | {"config/sections": "X = 2\n"})


@pytest.mark.parametrize("named", ['Path(__file__).with_name("words.yaml")', 'Path(__file__).parent / "words.yaml"'])
def test_a_data_file_counts_where_it_is_read_and_may_move_with_its_reader(version, named):
    text = f"from pathlib import Path\n\nWORDS = {named}\n\ndef run():\n    return WORDS.read_text()\n"
    files = {"job": text + "\ndef other():\n    return 1\n", "words.yaml": "a: 1\n"}
    assert version(files) != version(files | {"words.yaml": "a: 2\n"})
    assert version(files, "waver.job:other") == version(files | {"words.yaml": "a: 2\n"}, "waver.job:other")
    assert version({f"deep/{name}": value for name, value in files.items()}, "waver.deep.job:run") == version(files)


def test_a_folder_of_data_files_counts_as_a_whole(version):
    files = {"job": 'from pathlib import Path\n\nPROMPTS = Path(__file__).parent / "prompts"\n', "prompts/a.txt": "1"}
    assert version(files, "waver.job:PROMPTS") != version(files | {"prompts/b.txt": "2"}, "waver.job:PROMPTS")


def test_a_data_file_that_is_missing_is_said_so(version):
    text = 'from pathlib import Path\n\nWORDS = Path(__file__).with_name("words.yaml")\n'
    with pytest.raises(WaverError, match=r"words\.yaml is not"):
        version({"job": text}, "waver.job:WORDS")


def test_a_module_that_does_not_exist_is_said_so(version):
    with pytest.raises(WaverError, match=r"there is no module waver\.nowhere"):
        version(BASE, "waver.nowhere:run")


def test_a_module_named_alone_counts_as_a_whole(version):
    assert version(BASE, "waver.parts") != version(changed("parts", "return 0", "return 1"), "waver.parts")


@pytest.mark.parametrize(("installed", "same"), [("2.13.1", True), ("2.14.0", False)])
def test_the_minor_version_of_a_library_that_decides_numbers_counts(version, monkeypatch, installed, same):
    files = {"job": "import torch\n\ndef run():\n    return torch.zeros(1)\n\ndef other():\n    return 1\n"}
    monkeypatch.setattr(fingerprint, "version", lambda name: "2.13.0")
    before = version(files), version(files, "waver.job:other")
    monkeypatch.setattr(fingerprint, "version", lambda name: installed)
    assert (version(files) == before[0]) is same
    assert version(files, "waver.job:other") == before[1]


def test_a_script_counts_with_all_that_it_refers_to(version, tmp_path):
    path = tmp_path / "features.py"

    def take(text, files=BASE):
        version(files)
        path.write_text(text)
        definitions.script.cache_clear()
        fingerprint._fingerprint.cache_clear()
        return fingerprint.script_version(path)

    text = '"""What it is."""\n\nfrom waver.tool import offset\n\nwith job(snakemake) as j:\n    offset(j.input)\n'
    before = take(text)
    assert take(text.replace("What it is", "It")) == before
    assert take(text.replace("j.input", "j.output")) != before
    assert take(text, changed("tool", "OFFSET = 4", "OFFSET = 5")) != before
    assert take(text, changed("parts", "/ 2", "/ 3")) == before
