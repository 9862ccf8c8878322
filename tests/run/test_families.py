"""Model families, from manifest to report: which blend, learn, export, are asked right and load elsewhere.

`make test-runs` runs it. With BLENDTUNE_WRITE_MODELS=1 it writes the table of docs/models.md.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.layout import ROOT
from tests.older_transformers import older_python, read_by_older
from tests.read_model import read
from tests.run.conftest import RUBRIC, Outcome, Project
from tests.run.families import FAMILIES, Family, write_model

from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_trainer.blending.packed import PackedBlend

pytestmark = [pytest.mark.runs, pytest.mark.timeout(1500)]

PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- families -->\n", "<!-- /families -->\n"
HEADER = (
    "| Family | Chat template | Blends | Learns | Exports | Asked right | Loads in transformers 4.57 "
    "| Refused with |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {{name: small}}
spec:
  model: {{uri: file://./model{named}}}
  blend:
    budget: {{epochs: 6}}
    sources:
    - {{name: shop, role: inDomain, uri: file://./shop.jsonl, weight: 50}}
    - {{name: world, role: general, uri: file://./world.jsonl, weight: 50, maxEpochs: 10}}
    validation: {{fraction: 0}}
  training: {{learningRate: 3e-2, sequenceLength: 512, batchTokens: 512, warmupRatio: 0}}
  cluster: {{nodes: 1, gpusPerNode: 1, gpuType: cpu}}
  storage: {{persistentVolumeClaim: disk}}
  export: {{uri: file://./exported}}
  evaluation:
    rubric: {{configMapRef: {{name: questions, key: rubric.yaml}}}}
    sampling: {{maxNewTokens: 4}}
    cluster: {{gpus: 0, gpuType: cpu}}
"""
ANSWERS = {
    "shop": [("How much is a lantern?", "Seven marks."), ("Is the till open?", "Until six.")] * 6,
    "world": [("How deep is the sea?", "Very deep."), ("Is the moon far?", "Far enough. ☾")] * 6,
}


QUESTIONS = sorted({question for rows in ANSWERS.values() for question, _ in rows})


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one family."""

    family: Family
    outcome: Outcome
    exported: Path

    @property
    def succeeded(self) -> bool:
        return self.outcome.objects["BlendedFineTune"]["status"]["state"] == "Succeeded"

    @property
    def refusal(self) -> str:
        """The message of the stage that failed; empty if none did."""
        conditions = self.outcome.objects["BlendedFineTune"]["status"]["conditions"]
        if self.succeeded:
            return ""
        (message,) = {each["message"] for each in conditions if each["reason"] == "BadConfiguration"}
        return str(message).splitlines()[0]

    def learns(self) -> bool:
        losses = [step["loss"] for step in self.outcome.steps()]
        return bool(losses[-1] < losses[0])

    def loads(self, report: dict[str, Any]) -> bool:
        """Whether a version of transformers has read all of the exported model, and nothing else."""
        return (report["missing"], report["unexpected"]) == ([], [])

    def asked_right(self) -> bool:
        """Whether each question, rendered by the evaluation, is what stands before an answer in training."""
        chat, blend = (
            ChatPrompts(self.exported, "spec.model"),
            PackedBlend.open(self.outcome.workspace / "blend"),
        )
        offsets = blend.example_offsets.tolist()
        examples = [
            (tuple(blend.input_ids[start:end].tolist()), blend.supervised[start:end])
            for start, end in pairwise(offsets)
        ]
        return all(
            any(
                ids[: len(prompt)] == prompt and int(supervised.argmax()) == len(prompt)
                for ids, supervised in examples
            )
            for prompt in (chat.render(question).token_ids for question in QUESTIONS)
        )


def run_family(family: Family, place: Path) -> Result:
    folder = place / "project"
    folder.mkdir(parents=True)
    write_model(family, folder / "model")
    for name, rows in ANSWERS.items():
        lines = [
            json.dumps(
                {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
            )
            for asked, answer in rows
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "rubric.yaml").write_text(RUBRIC)
    named = f", chatTemplate: {family.named}" if family.named else ""
    (folder / "manifest.yaml").write_text(MANIFEST.format(named=named))
    outcome = Project(folder / "manifest.yaml").run(place / "work")
    return Result(family=family, outcome=outcome, exported=folder / "exported")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """All families, two at a time."""
    place = tmp_path_factory.mktemp("families")
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda family: run_family(family, place / family.name.replace(" ", "-")), FAMILIES)
        return {result.family.name: result for result in found}


@pytest.fixture(scope="module")
def by_older(results: dict[str, Result]) -> dict[str, dict[str, Any]]:
    older_python()
    done = {name: result.exported for name, result in results.items() if result.succeeded}
    return dict(zip(done, read_by_older(list(done.values()), texts=TEXTS, conversations=ASKED), strict=True))


TEXTS = ["How many?", "  two blanks\n\nand lines: 1,234 Straße ☕"]
ASKED = [[{"role": "user", "content": "How many?"}]]


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_a_family_that_is_trained_is_trained_right(
    name: str, results: dict[str, Result], by_older: dict[str, dict[str, Any]]
) -> None:
    result = results[name]
    if not result.succeeded:
        assert result.refusal.startswith("spec."), result.outcome.errors
        return
    now = read(str(result.exported), {"texts": TEXTS, "conversations": ASKED})
    older = by_older[name]
    assert result.learns()
    assert result.loads(now)
    assert result.loads(older)
    assert older["logits"] == pytest.approx(now["logits"], abs=0.02)
    for what in ("ids", "template", "rendered", "eos"):
        assert older[what] == now[what], what
    assert result.asked_right()
    base = read(str(result.exported.with_name("model")), {"texts": TEXTS})
    for what in ("ids", "with_special", "tied"):
        assert now[what] == base[what], what


def row(result: Result, older: dict[str, dict[str, Any]]) -> Sequence[str]:
    name, template = result.family.name, result.family.template_name
    if not result.succeeded:
        return (name, template, *["no"] * 5, result.refusal)
    report = older[name]
    digest = hashlib.sha256(json.dumps(report["template"]).encode()).hexdigest()[:8]
    facts = (True, result.learns(), result.exported.is_dir(), result.asked_right(), result.loads(report))
    return (name, f"{template}, {digest}", *("yes" if fact else "no" for fact in facts), "")


def test_the_table_in_the_docs_is_what_was_found(
    results: dict[str, Result], by_older: dict[str, dict[str, Any]]
) -> None:
    rows = [" | ".join(cell.replace("|", "\\|") for cell in row(each, by_older)) for each in results.values()]
    table = HEADER + "".join(f"| {each} |\n" for each in rows)
    print("\n" + table)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    told, _, after = rest.partition(END)
    if os.environ.get("BLENDTUNE_WRITE_MODELS"):
        PAGE.write_text(before + BEGIN + table + END + after)
    else:
        assert told == table
