"""contract.py - holds every answer of the daemon against schema/openapi.yaml.

An answer passes when its status is documented for its operation, its media type and body fit the schema there, its
headers are the documented ones, and what holds for every operation (the head of openapi.yaml) holds. Nothing here
knows what a test expects: an answer can be the wrong one and still keep to the contract.
"""
import json
import re
from pathlib import Path

import fastjsonschema
import jsonschema
import yaml

OPENAPI = Path(__file__).resolve().parents[2] / "schema" / "openapi.yaml"
METHODS = ("get", "put", "post", "patch", "delete")


def as_draft_7(schema):
    """The same schema in the words of fastjsonschema, which knows no newer ones."""
    if not isinstance(schema, dict):
        return schema
    found = {}
    for word, value in schema.items():
        if word in ("properties", "patternProperties"):
            value = {name: as_draft_7(of) for name, of in value.items()}
        elif word in ("oneOf", "anyOf", "allOf", "prefixItems"):
            value = [as_draft_7(of) for of in value]
        elif word in ("items", "additionalProperties", "not", "if", "then", "else"):
            value = as_draft_7(value)
        if word in ("default", "description", "examples") or word == "items" and not value:
            continue
        found[word] = True if value == {} else value
    if "dependentRequired" in found:
        found["dependencies"] = found.pop("dependentRequired")
    if "prefixItems" in found:
        found.update({"additionalItems": found.pop("items")} if "items" in found else {}, items=found.pop("prefixItems"))
    return {"allOf": [{"$ref": found.pop("$ref")}, found]} if "$ref" in found and len(found) > 1 else found


class Contract:
    def __init__(self, path=OPENAPI):
        self.document = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.resolver = jsonschema.RefResolver("", self.document)
        self.routes = []  # (pattern of the raw path, template, path item)
        self.schemas = {name: as_draft_7(schema) for name, schema in self.document["components"]["schemas"].items()}
        self.compiled = {}
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/:]+", re.escape(template))
            self.routes.append((re.compile(pattern + r"\Z"), template, item))
        self.routes.sort(key=lambda route: route[1].count("{"))  # a path that is spelt out goes first

    def find(self, path):
        """(template, path item) of a raw path, or (None, {})."""
        for pattern, template, item in self.routes:
            if pattern.match(path):
                return template, item
        return None, {}

    def resolve(self, node):
        while "$ref" in node:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def validator(self, schema):
        return jsonschema.Draft202012Validator(schema, resolver=self.resolver)

    def schema_of(self, method, path):
        """Of the JSON that answers with 200."""
        return self.resolve(self.find(path)[1][method.lower()]["responses"]["200"])["content"]["application/json"]["schema"]

    def fits(self, schema, value):
        """Whether value is right by this schema: by code made of it once, as nearly every answer is right."""
        key = id(schema)
        if key not in self.compiled:
            whole = {"components": {"schemas": self.schemas}, "allOf": [as_draft_7(schema)]}
            self.compiled[key] = fastjsonschema.compile(whole, use_default=False)
        try:
            self.compiled[key](value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    def faults(self, schema, value):
        """What is wrong with value by this schema, as one text; None when nothing is."""
        if self.fits(schema, value):
            return None
        error = jsonschema.exceptions.best_match(self.validator(schema).iter_errors(value))
        return error and f"{error.message[:400]} at /{'/'.join(map(str, error.absolute_path))}"

    def allowed(self, item):
        """The methods of a path as Allow has them."""
        methods = {m.upper() for m in METHODS if m in item}
        return methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())

    def check(self, method, path, answer, sent=None):
        """Raises AssertionError when the answer breaks the contract. sent: the JSON of the request, if any."""
        path = path.partition("?")[0]
        template, item = self.find(path)
        self.check_common(method, path, answer)
        if method == "OPTIONS" and template and answer.status < 400:
            assert answer.status == 204, "OPTIONS answers 204"
            assert answer.allow() == self.allowed(item), f"Allow of {template}: {answer.headers['Allow']}"
            return
        operation = item.get("get" if method == "HEAD" else method.lower())
        if operation is None:
            self.check_unrouted(method, path, item, answer)
            return
        responses = operation["responses"]
        where = f"{operation['operationId']} {answer.status}"
        response = responses.get(str(answer.status)) or responses.get(f"{answer.status // 100}XX")
        assert response, f"{where} is not documented"
        response = self.resolve(response)
        self.check_headers(where, response, answer)
        if method != "HEAD":
            self.check_body(where, response, answer)
        if sent is not None and answer.status < 300:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            fault = self.faults(schema, sent)
            assert not fault, f"{where}: a request that the schema does not allow was taken: {fault}"

    def check_common(self, method, path, answer):
        if method == "HEAD" or answer.status in (204, 304):
            assert answer.body == b"", "an answer that has no body has one"
        if answer.status >= 400 and method != "HEAD" and path.startswith("/v2"):
            assert isinstance(answer.json, dict) and list(answer.json) == ["error"], "an error is a sentence"
        elif answer.status >= 400 and method != "HEAD":
            problem = answer.json
            assert isinstance(problem, dict), "an error is a problem document"
            assert problem.get("status") == answer.status
            assert problem.get("type") == "/problems/" + str(problem.get("code"))
            assert problem.get("error") == problem.get("detail"), "error is the same sentence as detail"
        for name in ("Content-Type", "ETag", "Location", "Allow"):
            assert len(answer.headers.get_all(name, [])) <= 1, f"{name} twice"

    def check_unrouted(self, method, path, item, answer):
        """An operation that is not in the document: 404 or 405, or a refusal that comes before those."""
        assert answer.status in (400, 401, 403, 404, 405, 421, 501), f"undocumented {method}: {answer.status}"
        if method == "HEAD" or path.startswith("/v2"):
            return
        problem = self.document["components"]["schemas"]["Problem"]
        fault = self.faults(problem, answer.json)
        assert not fault, fault
        if answer.status == 404:
            assert not item and answer.json["code"] == "no-such-route"
        if answer.status == 405:
            assert item and answer.json["code"] == "method-not-allowed"
            assert answer.allow() == self.allowed(item), f"Allow: {answer.headers['Allow']}"

    def check_headers(self, where, response, answer):
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            value = answer.headers[name]
            if value is None:
                assert not header.get("required"), f"{where}: no {name}"
                continue
            fault = self.faults(header["schema"], value)
            assert not fault, f"{where}: {name}: {fault}"

    def check_body(self, where, response, answer):
        content = response.get("content")
        if not content:
            assert answer.body == b"", f"{where}: a body where none is documented"
            return
        media = (answer.headers["Content-Type"] or "").partition(";")[0].strip()
        assert media in content, f"{where}: media type {media!r}"
        if content[media]["schema"].get("format") == "binary":
            return
        if not media.endswith("json"):
            answer.body.decode("utf-8")
            return
        fault = self.faults(content[media]["schema"], answer.json)
        assert not fault, f"{where}: {fault}\n{answer.body[:2000]!r}"
        if answer.status == 200 and isinstance(answer.json, dict) and "next" in answer.json:
            assert bool(answer.json["next"]) == (answer.headers["Link"] is not None), f"{where}: Link and next"


def _unique(pairs):
    """An object, every key of it once."""
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key twice in {[k for k, _ in pairs][:20]}"
    return found


def _no_constant(name):
    raise AssertionError(f"{name} is no JSON")


def read_json(body):
    """The strict reading of an answer: UTF-8, no key twice, no NaN."""
    return json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
