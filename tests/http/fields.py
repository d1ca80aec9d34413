"""fields.py - which request fields the suite tries out with two values that must give two results.

covers("TrainRequest.epochs") stands on a test, or names a row of a table of tests. test_fields.py walks the request
schemas of openapi.yaml and fails on a field that no file of the suite covers.
"""
import re
from pathlib import Path

from harness import CONTRACT

CALL = re.compile(r"\bcovers\(([^)]*)\)")


def covers(*fields):
    """A decorator that changes nothing; in a table, the names themselves."""
    def unchanged(test):
        return test
    unchanged.fields = fields
    return unchanged


def covered():
    """Every field that some file of the suite covers."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for call in CALL.findall(path.read_text()):
            found.update(re.findall(r'"([^"]+)"', call))
    return found


def documented():
    """Every request field of openapi.yaml: "Schema.field" of bodies, "operation?name" of queries."""
    found = set()
    for item in CONTRACT.document["paths"].values():
        for operation in item.values():
            if not isinstance(operation, dict):
                continue
            name = operation["operationId"]
            for parameter in map(CONTRACT.resolve, operation.get("parameters", [])):
                if parameter["in"] == "query":
                    found.add(f"{name}?{parameter['name']}")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                walk(content["schema"], name, found)
    return found


def walk(schema, name, found):
    """Adds the fields of an object's schema, and of what lies in it, under the name of the nearest named schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = CONTRACT.resolve(schema)
    for field, inner in schema.get("properties", {}).items():
        if isinstance(inner, dict) and f"{name}.{field}" not in found:
            found.add(f"{name}.{field}")
            walk(inner, f"{name}.{field}", found)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            walk(schema[key], name, found)
    for key in ("oneOf", "allOf"):
        for inner in schema.get(key, []):
            walk(inner, name, found)
