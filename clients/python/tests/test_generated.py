"""The generated module is what the description of the interface says."""

import importlib.util
import json
from pathlib import Path

from gorilla_client import _generated

HERE = Path(__file__).resolve().parent.parent


def load_generator():
    spec = importlib.util.spec_from_file_location("generate", HERE / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_module_is_up_to_date():
    generator = load_generator()
    told = "run clients/python/.venv/bin/python clients/python/tools/generate.py"
    assert generator.current() == generator.GENERATED.read_text(), told


def test_each_code_of_the_interface_is_known():
    generator = load_generator()
    codes = json.loads(generator.OPENAPI.read_text())["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
    assert [code.value for code in _generated.Code] == codes
