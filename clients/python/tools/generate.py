"""Writes src/gorilla_client/_generated.py from docs/openapi.json: the codes of errors and the types of the wire.

`python tools/generate.py` writes the file; `tests/test_generated.py` fails if it is not what this program writes.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
OPENAPI = HERE.parent.parent / "docs" / "openapi.json"
GENERATED = HERE / "src" / "gorilla_client" / "_generated.py"

# What a client reads, with the base of the types that depend on what the resource is.
ANSWERS = [
    "Broken",
    "Free",
    "Held",
    "Holder",
    "ItemResult",
    "Batched",
    "Limit",
    "Lock",
    "LockSet",
    "Page",
    "Queue",
    "Shared",
    "Waiter",
]
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def type_of(schema: dict[str, Any]) -> str:
    """The Python type of a schema."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return name if name in ANSWERS else "dict[str, Any]"
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(dict.fromkeys(type_of(choice) for choice in schema[union]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(SIMPLE[one] for one in kind)
    if kind == "array":
        return f"list[{type_of(schema.get('items', {}))}]"
    return SIMPLE.get(str(kind), "Any")


def first_sentence(text: str) -> str:
    line = " ".join(text.split("\n\n")[0].split())
    return line.replace("\\", "\\\\").replace('"""', "'''")


def typed_dict(name: str, schema: dict[str, Any]) -> list[str]:
    lines = [
        f"class {name}(TypedDict):",
        f'    """{first_sentence(schema.get("description", name + "."))}"""',
        "",
    ]
    required = set(schema.get("required", []))
    for field, of in sorted(schema["properties"].items()):
        kind = type_of(of)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
    return [*lines, "", ""]


def generate(document: dict[str, Any]) -> str:
    """The text of the module."""
    schemas = document["components"]["schemas"]
    lines = [
        '"""The codes of errors and the types of the wire. Written by tools/generate.py from docs/openapi.json."""',
        "",
        "from __future__ import annotations",
        "",
        "from enum import StrEnum",
        "from typing import Any, Literal, NotRequired, TypedDict",
        "",
        "",
        "class Code(StrEnum):",
        '    """The codes of errors that this version knows. A server of a later version may have more."""',
        "",
    ]
    lines += [f'    {code.upper()} = "{code}"' for code in schemas["Error"]["properties"]["code"]["enum"]]
    lines += ["", ""]
    # A type is written after those that it names.
    order = ["Waiter", "Holder", *[name for name in ANSWERS if name not in ("Waiter", "Holder")]]
    for name in order:
        lines += typed_dict(name, schemas[name])
    return "\n".join(lines).rstrip("\n") + "\n"


def formatted(text: str) -> str:
    """As `ruff format` writes it."""
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(GENERATED), "-"]
    return subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=HERE).stdout


def current() -> str:
    """What the module must be."""
    return formatted(generate(json.loads(OPENAPI.read_text())))


if __name__ == "__main__":
    GENERATED.write_text(current())
    print(f"wrote {GENERATED}")
