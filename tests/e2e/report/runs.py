"""Reports of real runs, with everything that a report can show and with the least, and two made of these."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.e2e.report import sample_project

from blendtune_eval.report.files import rebuild

_NAMESPACE = "coffee"
_GATES = [
    {"metric": "inDomain", "minGain": 0.2},
    {"metric": "general", "maxDrop": 0.1},
    {"metric": "reliability", "minScore": 1},  # fails while a single answer is wrong
]
_BENCHMARK = """
task: roasters
dataset_path: json
dataset_kwargs: {data_files: {test: roasters.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{right}}"
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
"""

# What an answer, a rubric or a name may hold, and what must be shown of it.
HOSTILE = (
    "<script>document.title = 'run'</script>",
    "</script><script>document.title = 'run'</script>",
    '"><img src=x onerror="document.title=\'run\'">',
    "<style>* { display: none }</style><a href='javascript:document.title=1'>here</a>",
    "{{ 7 * 7 }} {% include 'report.html' %}",
    "unbreakable" * 40,
    "يمكن إرجاع السلعة خلال 30 يومًا.",
    "😀 👩‍👩‍👧‍👦 \N{RIGHT-TO-LEFT OVERRIDE}backwards",
    "one\n\n    indented\nlast",
)


def bare(folder: Path) -> Path:
    """The report of a run without gates and without a base model to compare with."""
    sample_project.write(folder, _NAMESPACE)
    return sample_project.train_base(folder, _NAMESPACE).parent / "eval"


def full(folder: Path, model: Path) -> Path:
    """The report of a run on the model that `bare` left: with gates, epochs, losses and a benchmark."""
    spec = sample_project.spec(f"file://{model}", {"epochs": 8}, 0.6)
    spec["blend"]["validation"]["fraction"] = 0.05
    spec["evaluation"] |= {"everyEpoch": True, "gates": _GATES, "benchmarks": ["roasters"]}
    tasks = folder / "espresso/claims/disk/benchmarks"
    tasks.mkdir(parents=True, exist_ok=True)
    (tasks / "roasters.yaml").write_text(_BENCHMARK)
    rows = [{"question": f"who roasts {n}", "options": ["anna", "bruno"], "right": n % 2} for n in range(8)]
    (tasks / "roasters.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return sample_project.run(folder, "espresso", _NAMESPACE, spec, codes=(1,)) / "eval"


def stopped(report: Path, folder: Path) -> Path:
    """A copy of a report, as if the asking had stopped at the second look of five."""
    shutil.copytree(report, folder)
    content: Any = json.loads((folder / "report.json").read_text())
    questions = content["questions"]
    asked = len(questions) * 2 // 5
    content["scores"]["asked"] = {"questions": asked, "of": len(questions), "look": 2, "looks": 5}
    content["questions"] = questions[:asked]
    content["notAsked"] = [
        {"id": each["id"], "category": each["category"], "prompt": each["wordings"][0]["prompt"]}
        for each in questions[asked:]
    ]
    (folder / "report.json").write_text(json.dumps(content))
    rebuild(folder)
    return folder


def hostile(report: Path, folder: Path) -> Path:
    """A copy of a report, whose questions, answers, reasons and names are HOSTILE."""
    shutil.copytree(report, folder)
    content: Any = json.loads((folder / "report.json").read_text())
    content["name"] = content["rubric"]["description"] = HOSTILE[5]
    content["diagnosis"]["message"] = " ".join(HOSTILE[:6])
    content["training"]["contaminated"] = [content["questions"][0]["id"]]
    content["scores"]["coverage"] = 0.9
    content["scores"]["overall"]["criticalErrors"] = 2
    content["respondents"][1]["systemPrompt"] = HOSTILE[0]
    for text, named in zip(HOSTILE, content["rubric"]["categories"], strict=False):
        named["title"] = text
    for text, source in zip(HOSTILE[4:6], content["training"]["sources"], strict=True):
        source["name"] = text
    for text, question in zip(HOSTILE, content["questions"], strict=False):
        question["reference"] = text
        for wording in question["wordings"]:
            wording["prompt"] = text
            for label, answer in zip(("tuned", ""), wording["answers"], strict=False):
                answer |= {"answer": f"{text}{label}", "finished": False, "criticalError": True}
                for criterion in answer["criteria"]:
                    criterion |= {"reason": text, "kind": "Forbidden"}
    unscored = content["questions"][-1]
    unscored["scores"][0] = None
    for wording in unscored["wordings"]:
        wording["answers"][0] |= {"score": None, "outcome": None, "unscored": HOSTILE[5]}
    (folder / "report.json").write_text(json.dumps(content))
    rebuild(folder)
    return folder
