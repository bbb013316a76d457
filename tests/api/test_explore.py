"""``explore``: JSON in, JSON out, right or wrong, and whatever is sent to it."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.schemas import validate

import arcgrad as ag
from arcgrad.explore import SCHEMA, explore
from arcgrad.explore.encode import encode_value
from arcgrad.explore.inputs import read_scores
from arcgrad.explore.schema import WANTED

GTN = "0\n2\n0 1 5 5 0.5\n0 1 6 6 0.25\n1 2 7 7 0\n"
A = ag.Graph.from_text(GTN)
ALL = list(WANTED)


def ask(equation: Any, want: Any = ("value",), symbols: Any = None, **inputs: Any) -> dict[str, Any]:
    """The answer, held to the schema and to JSON."""
    request = {"equation": equation, "inputs": inputs, "want": list(want), "symbols": symbols}
    answer = explore(request)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    validate(answer, "answer")
    assert answer["ok"] == (answer["error"] is None)
    return answer


def test_the_schemas_are_schemas() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        validate({"ok": True}, "answer")
    with pytest.raises(jsonschema.ValidationError):
        validate({"value": {"type": "score", "value": "NaN", "text": ""}}, "evaluation")


def test_value_and_gradient_are_those_of_the_equation() -> None:
    X = np.log([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]])
    rows = "\n".join(" ".join(map(repr, row)) for row in X.tolist())
    text = "2 LSE[X ∘ (B + C)] - α LSE[C]"
    B, C = "0\n2\n0 1 0 0 0.5\n0 1 1 1 0.25\n1 2 2 2 0\n", "0\n1\n0 1 1 1 0.5\n1 1 2 2 -1\n"
    inputs = {"X": {"form": "scores", "text": rows}, "α": "0.5"}
    inputs |= {name: {"form": "gtn", "text": graph} for name, graph in (("B", B), ("C", C))}
    answer = ask(text, ALL, **inputs)
    expected = ag.compile(text, mode="interpret").value_and_grad(
        {"X": X, "α": 0.5, "B": ag.Graph.from_text(B), "C": ag.Graph.from_text(C)}
    )
    assert answer["value"]["value"] == pytest.approx(expected[0], rel=1e-12)
    assert answer["gradient"].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(answer["gradient"][name]["values"], gradient, rtol=1e-9, atol=1e-12)
    assert [node["expression"] for node in answer["trace"]][-1].startswith("G")
    assert sorted(answer["pictures"]["inputs"]) == ["B", "C"]
    assert answer["computation"].startswith("<svg")
    assert "trellis region over X" in answer["plan"]
    assert "def routine(" in answer["source"]
    assert answer["equation"]["inputs"] == {"X": "graph", "B": "graph", "C": "graph", "α": "score"}


def test_graphs_come_back_with_symbols() -> None:
    value = ask('A ∘ "ab"', A='"ab" + "c"')["value"]
    assert value["arcs"] == [[0, 1, 97, 97, 0.0], [1, 2, 98, 98, 0.0]]
    assert value["symbols"] == {"97": "a", "98": "b"}
    assert "symbols" not in ask("A", A={"form": "gtn", "text": GTN})["value"]
    typed = ask("A", ALL, A="0 1 a 0.5\n1 2 b:x\n2")
    assert typed["value"]["arcs"] == [[0, 1, 97, 97, 0.5], [1, 2, 98, 120, 0.0]]
    assert ">b:x<" in typed["pictures"]["value"]
    assert ask("A", A="0")["value"]["accept"] == [0]
    named = ask("A", symbols="x 5\nyy 7\n", A={"form": "gtn", "text": GTN})["value"]
    assert named["symbols"] == {"5": "x", "7": "yy"}
    assert ask('COUNT["<yy>"]', symbols="x 5\nyy 7\n")["value"]["text"] == "1"


def test_numbers_that_json_does_not_have() -> None:
    assert ask("LSE[∅]")["value"] == {"type": "score", "value": "-inf", "text": "-inf"}
    assert ask("MIN[∅]")["value"]["value"] == "inf"
    many = ask('COUNT[("a" + "b"){100}]', ["value"])["value"]
    assert (many["text"], many["value"]) == (str(2**100), 2**100)
    huge = ask("COUNT[X]", ALL, X={"form": "scores", "text": "0 0 0 0 0 0 0 0 0 0\n" * 5000})
    assert huge["value"] == {"type": "score", "value": "1" + "0" * 5000, "text": "1" + "0" * 5000}
    assert ask("A", A={"form": "gtn", "text": "0\n1\n0 1 5 5 -inf\n"})["value"]["arcs"] == [[0, 1, 5, 5, "-inf"]]


@pytest.mark.parametrize("form", ["json", "openfst", "gtn"])
def test_texts_of_every_form(form: str) -> None:
    assert ask("MAX[A]", A={"form": form, "text": A.to_text(form)})["value"]["value"] == 0.5
    assert ask("MAX[A]", A={"form": "k2", "text": "0 1 5 0.5\n1 2 -1 0\n2\n"})["value"]["value"] == 0.5


@pytest.mark.parametrize("suffix", ["fst", "npz", "gtn"])
def test_files_in_base64(tmp_path: Path, suffix: str) -> None:
    ag.save(tmp_path / f"a.{suffix}", A)
    data = base64.b64encode((tmp_path / f"a.{suffix}").read_bytes()).decode()
    assert ask("MAX[A]", A={"form": suffix, "base64": data})["value"]["value"] == 0.5
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 8)))
    array = {"form": "npy", "base64": base64.b64encode(stream.getvalue()).decode()}
    assert ask("MAX[A ∘ X]", A={"form": suffix, "base64": data}, X=array)["value"]["value"] == 0.5


def test_mappings_and_tied_weights() -> None:
    kinds = ask("relabel[A, m]", A='"a"')["equation"]["inputs"]
    assert kinds == {"A": "graph", "m": "mapping"}
    assert ask("relabel[A, m]", A={"form": "gtn", "text": GTN}, m="5:9, 7:8")["value"]["arcs"][0][2] == 9
    tied = ag.Graph([0, 1], [1, 2], [5, 5], weight=[0.5], tie=[0, 0], accept=[2])
    answer = ask("LSE[A]", ["gradient"], A={"form": "json", "text": tied.to_text("json")})
    assert answer["gradient"]["A"] == {"of": "parameters", "values": [2.0], "shortened": False}


def test_scores_as_typed() -> None:
    assert read_scores("0, 1  −2 # first\n\n1e-3\t-inf ∞-∞"[:17]).scores.tolist() == [[0.0, 1.0, -2.0]]
    assert read_scores("0.5 -inf\n1 2").scores.tolist() == [[0.5, -np.inf], [1.0, 2.0]]
    assert read_scores("").scores.shape == (0, 0)
    with pytest.raises(ag.FormatError, match=r"<text>:2:3: expected a score, but found 'x'"):
        read_scores("1 2\n3 x")
    with pytest.raises(ag.FormatError, match=r"<text>:2: this frame has 1 columns, but those before have 2"):
        read_scores("1 2\n3")


@pytest.mark.parametrize(
    ("equation", "symbols", "inputs"),
    [
        ("LSE[A] + 2 w", None, {"A": "0 1 a 0.5; 1", "w": "−0.5"}),
        ("A ∘ B # all", None, {"A": "0 1 a 0.5\n1 2 b:x\n2", "B": 'graph"0 1 x; 1"*'}),
        ('LSE[X ∘ ("a"* + "<b>"*)]', "a 0\n<b> 1", {"X": {"form": "scores", "text": "0 1\n-inf 2"}}),
        ("relabel[A, m]", None, {"A": {"form": "gtn", "text": GTN}, "m": "5:9,7:8"}),
        ("COUNT[for + A_1]", None, {"for": '"a"', "A₁": "0"}),
        ('re"a\\\\|b"', None, {}),
        ("LSE[A]", "x 5\nyy 7", {"A": {"form": "openfst", "text": "0 1 x\n1 2 yy 0.5\n2\n"}}),
        ("MAX[A]", None, {"A": {"form": "json", "text": A.to_text("json")}}),
    ],
)
def test_the_script_computes_the_same(equation: str, symbols: str | None, inputs: dict[str, Any]) -> None:
    answer = ask(equation, ["value", "gradient", "python"], symbols, **inputs)
    assert answer["ok"]
    names: dict[str, Any] = {"print": lambda value: None}
    exec(
        compile(answer["python"].replace("ag.compile(", 'ag.compile(mode="interpret", text='), "script", "exec"), names
    )
    found = encode_value(names["value"])
    shown = {key: value for key, value in answer["value"].items() if key != "symbols"}
    assert found == shown
    assert answer["gradient"].keys() == names.get("gradient", {}).keys()


def test_the_script_reads_what_was_a_file(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 8)))
    files = {"npy": stream.getvalue()}
    ag.save(tmp_path / "FILE.fst", A)
    files["fst"] = (tmp_path / "FILE.fst").read_bytes()
    inputs = {form: {"form": form, "base64": base64.b64encode(data).decode()} for form, data in files.items()}
    code = ask("MAX[fst ∘ npy]", ["python"], **inputs)["python"]
    assert 'fst = ag.load("FILE.fst")\nnpy = np.load("FILE.npy")\n' in code


def test_a_mistake_has_its_place() -> None:
    error = ask("x = 1\nLSE[A ○○ B]")["error"]
    assert (error["where"], error["line"], error["kind"]) == ("equation", 2, "EquationError")
    assert error["excerpt"].splitlines()[1].strip("^ ") == ""
    text = "𝒜₁ ∘ LSE[𝒜₂]"
    error = ask(text)["error"]
    assert text[error["start"] : error["end"]] == "LSE[𝒜₂]"  # offsets count code points
    error = ask("LSE[A]", A={"form": "gtn", "text": "0\n1\n0 1 x\n"})["error"]
    assert (error["where"], error["input"], error["line"]) == ("input", "A", 3)
    error = ask("LSE[A]", A='"ab')["error"]
    assert (error["where"], error["input"], error["column"]) == ("input", "A", 1)
    error = ask("LSE[A]", A="0 1 a 0.5\n0 1 b half\n1")["error"]
    assert (error["where"], error["input"], error["line"], error["column"]) == ("input", "A", 2, 7)
    assert error["excerpt"] == "  0 1 b half\n        ^^^^"
    error = ask('"a"', symbols="a b c\n")["error"]
    assert (error["where"], error["line"]) == ("symbols", 1)


@pytest.mark.parametrize(
    ("equation", "inputs", "kind", "message"),
    [
        ("", {}, "EquationError", ""),
        ("LSE[A]", {}, "InputError", "A is not given"),
        ("LSE[A] + B", {"A": "  "}, "InputError", "nothing is typed"),
        ("LSE[A*]", {"A": '"ab"'}, "DivergenceError", "cycle"),
        ("log w", {"w": "-1"}, "EquationError", ""),
        ("log[w]", {"w": "-1"}, "UndefinedError", "undefined"),
        ("w + 1", {"w": '"a"'}, "InputError", ""),
        ("w + 1", {"w": "one"}, "ArcgradError", ""),
        ("LSE[A]", {"A": "B + C"}, "ArcgradError", ""),
        ("LSE[A]", {"A": {"form": "expression", "text": "B + C"}}, "InputError", "has the name B"),
        ("LSE[A]", {"A": {"form": "expression", "text": "1 + 1"}}, "InputError", "is a score"),
        ("LSE[A]", {"A": {"form": "mapping", "text": "1:2,1:3"}}, "InputError", "twice"),
        ("LSE[A]", {"A": {"form": "mapping", "text": "x"}}, "InputError", "not a mapping"),
        ("LSE[A]", {"A": {"form": "fst", "base64": "AAAA"}}, "FormatError", "at byte 0"),
        ("LSE[A]", {"A": {"form": "gtn", "base64": "no base64!"}}, "InputError", "base64"),
        ("LSE[A]", {"A": {"form": "gtn", "base64": "/w=="}}, "FormatError", "not UTF-8"),
        ("LSE[A1]", {"A1": '"a"', "A_1": '"b"'}, "InputError", "twice"),
        ("LSE[A]", {"A +": '"a"'}, "InputError", ""),
        ("LSE[X]", {"X": {"form": "scores", "text": "0 nan"}}, "InputError", ""),
        ('"a"{100000}', {}, "LimitError", "limit"),
        ('LSE[re"(a|b)*a(a|b){30}"]', {}, "LimitError", "limit"),
    ],
)
def test_what_is_wrong_is_said(equation: str, inputs: dict[str, Any], kind: str, message: str) -> None:
    error = ask(equation, **inputs)["error"]
    assert issubclass(getattr(ag, error["kind"]), getattr(ag, kind))
    assert message in error["message"]


@pytest.mark.parametrize(
    "request_",
    [
        None, [], "LSE[A]", {}, {"equation": 3}, {"equation": "1", "what": 1}, {"equation": "1", "want": "value"},
        {"equation": "1", "want": [[]]}, {"equation": "1", "want": ["everything"]}, {"equation": "1", "inputs": []},
        {"equation": "1", "inputs": {"A": 3}}, {"equation": "1", "inputs": {"A": {}}},
        {"equation": "1", "inputs": {"A": {"text": "a", "base64": "b"}}},
        {"equation": "1", "inputs": {"A": {"text": 1}}},
        {"equation": "1", "inputs": {"A": {"text": "a", "form": []}}}, {"equation": "1", "symbols": 1},
        {"equation": "1", "inputs": {"A": {"text": "a", "form": "npz"}}},
        {"equation": "1", "inputs": {"A": {"text": "a", "form": "gtn", "file": "/etc/passwd"}}},
        {"equation": "1", "inputs": {str(n): "1" for n in range(100)}}, {"equation": "1" * 30_000},
        {"equation": "1", "inputs": {"A": "1" * 3_000_000}}, {"equation": "1", "inputs": {"A" * 1000: "1"}},
    ],
)  # fmt: skip
def test_requests_of_no_sense(request_: Any) -> None:
    error = explore(request_)["error"]
    assert error["where"] == "request"
    assert len(error["message"]) < 400


@pytest.mark.parametrize(
    "equation",
    ["(" * 19_000, "[" * 19_000, "A" + "*" * 6_000, "-" * 6_000 + "1", "LSE[" * 4_000, "\ud800", "\0"],
)
def test_hostile_equations(equation: str) -> None:
    assert explore({"equation": equation, "want": ALL})["error"]["where"] in ("equation", "input", None)


def test_long_graphs_are_shortened() -> None:
    answer = ask('"a"{5000}', ["value", "gradient", "trace"])
    assert (answer["value"]["n_arcs"], len(answer["value"]["arcs"]), answer["value"]["shortened"]) == (9999, 2000, True)
    answer = ask("LSE[X]", ["gradient"], X={"form": "scores", "text": "0 1 2 3\n" * 2000})
    assert answer["gradient"]["X"]["shortened"]
    assert np.shape(answer["gradient"]["X"]["values"]) == (500, 4)


def test_a_plan_needs_no_inputs() -> None:
    answer = ask("LSE[A + B]", ALL, A='"a"')
    assert answer["error"]["input"] == "B"
    assert "s1 = LSE[A + B]" in answer["plan"]
    assert "value" not in answer
    assert "s1" in ask("LSE[A*]", ALL, A='"a"')["plan"]  # which diverges


def test_warnings_are_told() -> None:
    text = "\n".join(["0 1 5 5 0.5", "1 0.5"])
    answer = ask("LSE[A]", A={"form": "openfst", "text": text})
    assert answer["ok"]
    assert isinstance(answer["warnings"], list)


def test_whatever_becomes_of_an_equation_as_it_is_typed_there_is_an_answer() -> None:
    draw = random.Random(0)
    graphs = ["0 1 a 0.5; 1 2 b; 2", '"cat" + "dog"⟨-1⟩', "0 0 a -1; 0", "0", "0 1 ε; 1 0 ε:b -2; 1", "", "0.5"]
    equations = ["LSE[(A + B) ∘ X*]", 'rmeps[out["aa" ∘ rewrite["a" : "o", "n", ε, "abno"]]]', "H[A] - w LSE[B]"]
    equations += ["KL[A, A]", "SAMPLE[A, 3, 1]", "det[A B]", 'PATH[A ∘ re"a*"]', "f[P] = P P\nCOUNT[f[A]{2}]"]
    answered = 0
    for _ in range(80):
        equation = draw.choice(equations)
        for _ in range(draw.randrange(3)):
            at = draw.randrange(len(equation) + 1)
            equation = equation[:at] + draw.choice(["", *'()[]{}*∘AB"1,⟨⟩;= -/^ε']) + equation[at + draw.randrange(2) :]
        found = ask(equation, ALL, **{name: draw.choice(graphs) for name in ("A", "B", "X", "w")})
        answered += found["ok"]
    assert 8 < answered < 70
