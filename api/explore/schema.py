"""The schemas, in JSON Schema's words, of what ``explore`` takes and answers, and of what ``--json`` prints."""

from __future__ import annotations

from typing import Any

from arcgrad.explore.inputs import FORMS

__all__ = ["SCHEMA", "WANTED", "schema_of"]

WANTED = ("value", "gradient", "trace", "pictures", "computation", "plan", "source", "python")
"""What may be asked for. Of one evaluation come value, gradient and trace."""


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, text: str = "") -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    made: dict[str, Any] = {"type": "object", "properties": properties, "required": list(required)}
    if text:
        made["description"] = text
    return {**made, "additionalProperties": False}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _map(of: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": of}


def _or_null(of: Any) -> dict[str, Any]:
    return {"anyOf": [of, {"type": "null"}]}


_STRING, _BOOL = {"type": "string"}, {"type": "boolean"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_STATES = _list(_COUNT)
_PLACE = {
    "line": _COUNT,
    "column": {**_COUNT, "description": "from 1, in characters (code points)"},
    "end_column": _COUNT,
    "start": {**_COUNT, "description": "offset in code points from the start of the text"},
    "end": _COUNT,
    "excerpt": {"type": "string", "description": "the line, and carets under the place"},
}
_ARC = {
    "description": "[source, destination, input label, output label, weight]; label −1 is ε; weights in nats",
    "type": "array",
    "prefixItems": [
        _COUNT,
        _COUNT,
        {"type": "integer", "minimum": -1},
        {"type": "integer", "minimum": -1},
        _ref("number"),
    ],
    "minItems": 5,
    "maxItems": 5,
}

_DEFS: dict[str, Any] = {
    "number": {
        "anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}, {"type": "string", "pattern": "^[0-9]+$"}],
        "description": "JSON has no infinities; a COUNT of more than 4,300 digits is a string of them",
    },
    "numbers": {"anyOf": [_ref("number"), _list(_ref("numbers"))]},
    "graph": _object(
        {
            "type": {"const": "graph"},
            "n_states": _COUNT,
            "n_arcs": _COUNT,
            "is_acceptor": _BOOL,
            "start": _STATES,
            "accept": _STATES,
            "arcs": _list(_ARC),
            "shortened": {"type": "boolean", "description": "whether there are more arcs than are listed"},
        },
        {"symbols": {**_map(_STRING), "description": "from label to symbol"}},
    ),
    "score": _object(
        {"type": {"const": "score"}, "value": _ref("number"), "text": _STRING},
        text="value in nats; text has every digit of a COUNT",
    ),
    "batch": _object({"type": {"const": "batch"}, "items": _list(_ref("value"))}),
    "value": {"anyOf": [_ref("score"), _ref("graph"), _ref("batch")]},
    "gradient": _object(
        {
            "of": {"enum": ["arcs", "parameters", "scores", "number"]},
            "values": _ref("numbers"),
            "shortened": _BOOL,
        }
    ),
    "gradients": {**_map(_ref("gradient")), "description": "by input"},
    "error": _object(
        {
            "kind": {"type": "string", "description": "the error's class, such as EquationError"},
            "message": _STRING,
            "where": {"enum": ["equation", "input", "symbols", "request", "file", None]},
        },
        {**_PLACE, "hint": _STRING, "input": _STRING, "expected": _list(_STRING), "found": _STRING},
    ),
    "failure": _object({"error": _ref("error")}),
    "node": _object(
        {
            "name": {"type": "string", "description": "an input's, or G1, G2, … in order of evaluation"},
            "expression": _STRING,
            "value": _ref("value"),
            "gradient": _or_null(_ref("numbers")),
            "inputs": _list(_STRING),
        }
    ),
    "evaluation": _object({"value": _ref("value")}, {"gradient": _ref("gradients")}, "arcgrad eval --json"),
    "explanation": _object(
        {
            "equation": _STRING,
            "inputs": _map({"enum": ["graph", "score", "mapping"]}),
            "rewriting": _list(_object({"pass": _STRING, "what": _STRING})),
            "plan": _list(_STRING),
            "warnings": _list(_STRING),
            "costs": _list(_STRING),
            "tier": _or_null(_STRING),
        },
        text="arcgrad explain --json",
    ),
    "source": _object({"source": _STRING}, text="arcgrad source --json"),
    "info": _object(
        {
            "file": _STRING,
            "kind": {"enum": ["graph", "scores"]},
        },
        {
            "n_states": _COUNT,
            "n_arcs": _COUNT,
            "start": _STATES,
            "accept": _STATES,
            "is_acceptor": _BOOL,
            "is_acyclic": _BOOL,
            "is_connected": _BOOL,
            "n_epsilon": {**_COUNT, "description": "arcs whose labels are both ε"},
            "n_input_labels": _COUNT,
            "n_output_labels": _COUNT,
            "weights": _or_null(_object({"smallest": _ref("number"), "largest": _ref("number")})),
            "n_absent": {**_COUNT, "description": "arcs of weight −inf"},
            "n_paths": _or_null(_ref("number")),
            "n_parameters": _or_null(_COUNT),
            "attributes": _list(_STRING),
            "shape": _list(_COUNT),
        },
        "arcgrad info --json, one for each file",
    ),
    "path": _object(
        {
            "weight": _ref("number"),
            "arcs": _list(_COUNT),
            "input": _list({"type": ["integer", "string"]}),
            "output": _list({"type": ["integer", "string"]}),
        },
        text="labels, or symbols where a table is given; ε is left out",
    ),
    "paths": _object({"paths": _list(_ref("path"))}, text="arcgrad paths --json"),
    "cache": _object({"dir": _STRING, "files": _COUNT, "bytes": _COUNT}, text="arcgrad cache info --json"),
    "doctor": _object(
        {
            "ok": _BOOL,
            "checks": _list(_object({"name": _STRING, "status": {"enum": ["ok", "note", "problem"]}, "what": _STRING})),
        },
        text="arcgrad doctor --json",
    ),
    "input": {
        "anyOf": [
            {"type": "string", "description": "text of the form auto"},
            _object({"text": _STRING}, {"form": {"enum": list(FORMS)}}),
            _object({"base64": _STRING, "form": {"enum": list(FORMS)}}, text="a file's bytes"),
        ]
    },
    "request": _object(
        {"equation": _STRING},
        {
            "inputs": _map(_ref("input")),
            "symbols": {"type": ["string", "null"], "description": "OpenFst's text form of a table, or null"},
            "want": {"type": "array", "items": {"enum": list(WANTED)}},
        },
    ),
    "answer": _object(
        {
            "ok": {"type": "boolean", "description": "whether there is a value"},
            "arcgrad": {"type": "string", "description": "the version"},
            "equation": _or_null(
                _object(
                    {
                        "latex": _STRING,
                        "result": {"enum": ["graph", "score"]},
                        "inputs": _map({"enum": ["graph", "score", "mapping"]}),
                    }
                )
            ),
            "error": _or_null(_ref("error")),
            "warnings": _list(_STRING),
        },
        {
            "value": _ref("value"),
            "gradient": _ref("gradients"),
            "trace": _list(_ref("node")),
            "pictures": _object(
                {"value": _or_null(_STRING), "inputs": _map(_STRING)},
                text="SVG: a graph-valued result, and each graph given",
            ),
            "computation": _or_null(_STRING),
            "plan": _STRING,
            "source": _STRING,
            "python": {"type": "string", "description": "a script that computes the same"},
        },
    ),
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "arcgrad: requests, answers, and what --json prints",
    **_ref("answer"),
    "$defs": _DEFS,
}
"""JSON Schema of `explore`'s answer; ``$defs`` has those of everything else by name."""


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one of ``SCHEMA["$defs"]``.

    Example:
        >>> schema_of("request")["$ref"]
        '#/$defs/request'
    """
    return {"$schema": SCHEMA["$schema"], **_ref(name), "$defs": _DEFS}
