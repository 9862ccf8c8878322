"""What the gates of a manifest can tell apart, with the spread of an earlier run where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import BlendedFineTune, Evaluation, Gate, RubricEval, RubricEvalSpec
from blendtune_core.asked import told_looks
from blendtune_core.gates import Scores
from blendtune_core.pilot import spreads
from blendtune_core.power import QuestionCounts, candidates_of
from blendtune_core.resolution import Measures, Spread, told
from blendtune_documents.yaml_lines import InvalidYaml, plain, read_documents
from blendtune_operator.cli.manifest import ManifestError
from blendtune_operator.names import Run

LOCAL_RUNS = Path("runs")


def told_power(
    run: Run, questions: QuestionCounts, pilot: Path | None, bounds: Mapping[str, Gate] | None = None
) -> Iterator[str]:
    """A line for each gate; for the template of a study `bounds` are more of them, by their paths.

    Raises ManifestError where `pilot` cannot be read.
    """
    evaluation, root, has_baseline = _evaluation(run)
    gates = {f"{root}.gates[{index}]": gate for index, gate in enumerate(evaluation.gates)}
    if bounds is not None:
        gates = {**bounds, **{f"spec.template.{path}": gate for path, gate in gates.items()}}
    file, measured = (pilot, read_pilot(pilot)) if pilot is not None else _local_pilot(run)
    measures = Measures(
        questions=questions,
        retention_rows=evaluation.retention.rows,
        has_baseline=has_baseline,
        candidates=candidates_of(evaluation.interpolation),
        pilot=measured,
    )
    if evaluation.stop_when_decided:
        yield f"  {root}.stopWhenDecided: {told_looks(questions.general + questions.in_domain)}"
    if measured and gates:
        yield f"  the pilot is {file}"
    for path, gate in gates.items():
        yield f"  {path} {_named(gate)} {told(gate, measures)}"


def _evaluation(run: Run) -> tuple[Evaluation | RubricEvalSpec, str, bool]:
    """What the run measures, the path of it, and whether it compares."""
    if isinstance(run, BlendedFineTune):
        return run.spec.evaluation, "spec.evaluation", run.spec.evaluation.baseline.enabled
    return run.spec, "spec", run.spec.baseline.model is not None


def _local_pilot(run: Run) -> tuple[Path, Mapping[str, Spread]]:
    """What a run of the same name has left in its usual work directory, and its spreads, if any."""
    name = run.metadata.name
    folder = LOCAL_RUNS / name / "objects"
    for kind in dict.fromkeys((type(run).__name__, RubricEval.__name__)):
        file = folder / f"{kind}-{name}.json"
        if file.is_file() and (measured := _measured(file)):
            return file, measured
    return folder, {}


def read_pilot(file: Path) -> Mapping[str, Spread]:
    """The spreads that a report.json, or the status of a run in a cluster or a work directory, has measured.

    Raises ManifestError where the file is neither.
    """
    if found := _measured(file):
        return found
    raise ManifestError(
        [f"{file}: has no measured differences: give a report.json, or an object with its status"]
    )


def _measured(file: Path) -> Mapping[str, Spread]:
    try:
        documents = map(plain, read_documents(file.read_text(encoding="utf-8")))
        scores = (each for document in documents for each in _scores(document))
        return next((found for each in scores if (found := spreads(each))), {})
    except (OSError, ValueError, InvalidYaml, codec.InvalidObject) as error:
        raise ManifestError([f"{file}: cannot be read as a pilot: {error}"]) from error


def _scores(document: Any) -> Iterator[Scores]:
    if not isinstance(document, Mapping):
        return
    if "scores" in document and "respondents" in document:
        yield codec.decode(EvalResult, document["scores"], lenient=True)
        return
    for each in document.get("items") or [document]:
        if isinstance(each, Mapping) and each.get("kind") in (BlendedFineTune.__name__, RubricEval.__name__):
            found = codec.decode_object(each)
            if isinstance(found, RubricEval):
                yield found.status
            elif isinstance(found, BlendedFineTune) and found.status.evaluation is not None:
                yield found.status.evaluation


def _named(gate: Gate) -> str:
    rules = {key: value for key, value in codec.encode(gate).items() if key not in ("metric", "name")}
    return f"{gate.subject} {' '.join(f'{rule} {value:g}' for rule, value in rules.items())}:"
