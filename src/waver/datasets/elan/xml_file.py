"""Reading an XML file from outside, whatever is in it.

A file may declare no document type, and so no entities, which could name other files or grow without end; size, depth
and number of elements have limits.
"""

from __future__ import annotations

import xml.etree.ElementTree as Xml
from pathlib import Path
from xml.parsers import expat

from waver.errors import WaverError

MOST_BYTES = 64 << 20
MOST_DEPTH = 50
MOST_ELEMENTS = 2_000_000


class _Refused(Exception):
    """What no annotation file has, in words."""


def read_xml(path: Path) -> Xml.Element:
    """The root of an XML file.

    Raises:
        WaverError: the file cannot be read, is no XML, or holds what it should not.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise WaverError(f"{path} is larger than {MOST_BYTES >> 20} MB, as no annotation is; give another file")
        return _parsed(path.read_bytes())
    except OSError as error:
        raise WaverError(f"{path} cannot be read ({error.strerror}); give the path of an annotation file") from error
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise WaverError(f"{path} is no complete XML file; open it in the program that wrote it and save it") from error
    except _Refused as problem:
        raise WaverError(f"{path} {problem}, as no annotation file has; save it again in ELAN") from problem


def _parsed(content: bytes) -> Xml.Element:
    builder, parser = Xml.TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MOST_DEPTH or elements > MOST_ELEMENTS:
            raise _Refused("has too many elements within each other, or in all")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def doctype(*_: object) -> None:
        raise _Refused("declares a document type")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(content, True)
    return builder.close()
