"""Models between the base model and the tuned one: which are asked, how they scored, which was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.enums import GateResult, LoraExport
from blendtune_api.v1alpha1.limits import EXPORT_URI

MAX_WEIGHTS = 8

InterpolationWeight = Annotated[
    float, Mark("From 0, the base model, to 1, the tuned one.", exclusive_minimum=0, exclusive_maximum=1)
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpolation:
    weights: Annotated[
        tuple[InterpolationWeight, ...],
        Mark(
            "The weights w of the models base + w (tuned - base) that are asked beside the tuned one. Each "
            "takes the disk of a model and the time of its answers.",
            min_items=1,
            max_items=MAX_WEIGHTS,
        ),
    ]

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.weights.all(weight, self.weights.exists_one(other, other == weight))",
            message="each weight is asked once: leave out the second of two that are equal",
            check=lambda self: len(set(self.weights)) == len(self.weights),
            field_path="weights",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TakenExport:
    uri: Annotated[
        str,
        Mark(
            "Where to copy the model that is taken; the workspace copy stays.",
            pattern=EXPORT_URI,
            max_length=1024,
        ),
    ]
    content: Annotated[LoraExport, Mark("Merged (the whole model), or Adapter if a LoRA made it.")] = (
        LoraExport.MERGED
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateScope:
    """The score of a domain, and its difference from the base model's."""

    score: Annotated[float, Mark("Score.", minimum=0, maximum=1)]
    delta: Annotated[float | None, Mark("Score less the base model's.", minimum=-1, maximum=1)] = None
    low: Annotated[
        float | None, Mark("Lower end of its interval, which holds for all candidates together.", minimum=-1)
    ] = None
    high: Annotated[float | None, Mark("Upper end of it.", maximum=1)] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One of the models to choose from."""

    weight: Annotated[float, Mark("1: the model as it was tuned.", minimum=0, maximum=1)]
    in_domain: Annotated[CandidateScope | None, Mark("In-domain questions.")] = None
    general: Annotated[CandidateScope | None, Mark("General questions.")] = None
    rise: Annotated[
        float | None, Mark("Rise of the loss on the general text that was kept worst, nats per token.")
    ] = None
    gates: Annotated[GateResult, Mark("Failed if one failed, Passed if all passed.")]
    not_passed: Annotated[str, Mark("The gates that did not pass.", max_length=255)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class InterpolationStatus:
    weight: Annotated[float, Mark("That of the model that was taken.", minimum=0, maximum=1)]
    uri: Annotated[str, Mark("Where the model that was taken lies.", max_length=1024)]
    digest: Annotated[str, Mark("Digest of its weights.", max_length=128)]
    tuned_uri: Annotated[str, Mark("Where the model as it was tuned lies.", max_length=1024)]
    tuned_digest: Annotated[str, Mark("Digest of its weights.", max_length=128)]
    candidates: Annotated[
        tuple[Candidate, ...], Mark("By weight, the tuned model last.", max_items=MAX_WEIGHTS + 1)
    ]


INTERPOLATION_STATUS = Mark("The choice between the base model and the tuned one; absent without any.")
