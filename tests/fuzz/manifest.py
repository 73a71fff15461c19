"""Owns the fuzzer of manifests.

The contract, for any bytes: a ManifestError whose problems each say something, at a line that the file has, or a
manifest whose graphs all compile. Nothing else comes out, whichever profile, document or predictor is asked for.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzz.drive import Case, Fuzzer
from fuzz.mutate import changed

from executor import manifest
from executor.errors import ManifestError
from executor.graph.plan import compile_plan
from executor.manifest import Profile, document

PREDICTOR = "predictor"
"""The kind of case that is a predictor alone; the others are whole files."""
WORDS = """
- : , { } [ ] | > # & * ! ? % @ --- ... null ~ true yes on 1 -1 0 1e400 .nan .inf 0x10 0o7 1_000 12:30 2001-01-01 "" ''
&a *a <<: !!str !!int !!binary !!python/object: !x %YAML %TAG \\ "\\x41" "\\ud800" "\\ name graph children type
implementation endpoint parameters predictors spec annotations methods replicas traffic componentSpecs MODEL ROUTER
COMBINER TRANSFORMER UNKNOWN_TYPE SIMPLE_MODEL RANDOM_ABTEST AVERAGE_COMBINER ratioA FLOAT INT BOOL STRING REST GRPC
INFO metadata apiVersion kind SeldonDeployment protocol v2 transport grpc rest service_host service_port httpPort
"""
TOKENS = [word.encode() for word in WORDS.split()]
TOKENS += [b" ", b"  ", b"\n", b"\n- ", b"\t", b": ", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\n---\n", b"&a [*a]"]
TOKENS += ["é\u2028\x85".encode(), b"[" * 200, b"{a: " * 200, b"- " * 200, b"9" * 400, b"a" * 300]


def make(rng: random.Random, seeds: Sequence[Case]) -> Case:
    """A manifest of the corpus, damaged; lines are moved about as well as bytes."""
    seed = rng.choice(seeds)
    lines = seed.data.splitlines(keepends=True)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        at = rng.randrange(len(lines))
        act = rng.randrange(4)
        if act == 0 and len(lines) > 1:
            del lines[at]
        elif act == 1:
            lines[at] = rng.choice([b" ", b"  ", b"- "]) + lines[at]
        elif act == 2:
            lines[at] = lines[at].lstrip()
        else:
            lines.insert(rng.randrange(len(lines)), lines[at])
    return Case(seed.kind, changed(rng, b"".join(lines), TOKENS, [each.data for each in seeds]))


def accepted(step: Callable[[], Any], lines: int) -> Any:
    """What the step gives, None where it refuses with a ManifestError that helps."""
    try:
        return step()
    except ManifestError as error:
        assert error.problems, "refused without a problem"
        for problem in error.problems:
            assert problem.message, error
            assert problem.line is None or 1 <= problem.line <= lines, (problem.line, lines)
        return None


def attempt(rng: random.Random, case: Case) -> bool:
    """Everything that can be asked of a file. Whether any graph of it runs."""
    lines = case.data.count(b"\n") + case.data.count(b"\r") + 1
    text = accepted(lambda: document.decode(case.data), lines)
    if text is None:
        return False
    lines += sum(text.count(each) for each in "\x85\u2028\u2029")  # line breaks to YAML
    if case.kind == PREDICTOR:
        alone = accepted(lambda: manifest.load_predictor(text, reached=rng.choice([None, ["a", "m"]])), lines)
        return alone is not None and bool(compile_plan(alone).nodes)
    accepted(lambda: manifest.survey(text), lines)
    every = accepted(lambda: manifest.load_all(text), lines) or ()
    found = [(each.name, predictor) for each in every for predictor in each.predictors]
    profile, name = rng.choice(list(Profile)), rng.choice([None, None, "main", "a"])
    number = rng.choice([None, None, "demo", 1, 2])
    chosen = accepted(lambda: manifest.load(text, profile, predictor=name, document=number), lines)
    if chosen is not None:
        found.append((chosen.deployment.name, chosen.predictor))
    for deployment, predictor in found:
        compile_plan(predictor, deployment)
    return bool(found)


FUZZER = Fuzzer.simple("manifest", make, attempt)
run = FUZZER.run
