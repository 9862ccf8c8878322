"""The blend program: collects, encodes, splits, blends and packs the rows, and leaves the packed blend."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from blendtune_api.contract import BlendResult, weights_digest
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Source, Stage
from blendtune_core.sizing.describe import describe_weights, refusal
from blendtune_core.sizing.estimate import training_cost
from blendtune_core.sizing.layout import choose_layout
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import DoesNotFit, StageError
from blendtune_runtime.files import write_text
from blendtune_runtime.program import run_program
from blendtune_runtime.uris import data_location
from blendtune_trainer.blending.assemble import SourceExamples, assemble, first_pass, split
from blendtune_trainer.blending.lineage import Lineage, lineage_words, read_lineage, write_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import fetch_base_model
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.rows.collect import Row, collect
from blendtune_trainer.rows.contamination import PromptSearch, check_matches, load_prompts
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.rows.reading import told_on_console
from blendtune_trainer.stage import Run, keep_result, kept_result, load_run
from blendtune_trainer.tokens.digests import file_digest, text_digest
from blendtune_trainer.tokens.examples import Examples, encode_rows
from blendtune_trainer.tokens.token_cache import TokenCache
from blendtune_trainer.tokens.tokenise import Tokeniser
from blendtune_trainer.workspace import hold

INPUTS_FILE = (
    "inputs.json"  # beside the packed blend: what it was made from, and the rubric's prompts met in it
)
_WARNINGS = 4
_WARNING_LENGTH = 300


def main() -> int:
    return run_program(lambda: prepare(load_run(os.environ)))


def prepare(run: Run) -> BlendResult:
    """Leaves the packed blend of a run in its workspace, unless it is there already.

    Raises StageError where the input is at fault; nothing is then left behind.
    """
    with hold(run.workspace, run.config.uid, run.config.digest):
        finished = finished_blend(run)
        if finished is not None:
            print(f"the blend {finished.digest[:12]} is already in the workspace", flush=True)
            return finished
        return _prepare(run)


def finished_blend(run: Run) -> BlendResult | None:
    """The blend that this configuration left, whole and searched for the same rubric's prompts; else None."""
    result = kept_result(run, Stage.BLEND, BlendResult)
    if result is None:
        return None
    try:
        inputs = json.loads((run.workspace.blend / INPUTS_FILE).read_text())
        packed = PackedBlend.open(run.workspace.blend)
    except (OSError, ValueError, StageError):
        return None
    same_rubric = inputs.get("rubricDigest") == _rubric_digest(run)
    return result if packed.digest == result.digest and same_rubric else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Collected:
    sources: tuple[tuple[Source, Examples], ...]
    validation: Examples | None


def _prepare(run: Run) -> BlendResult:
    spec, workspace = run.config.spec, run.workspace
    base = fetch_base_model(spec.model, run.claims, run.shared, run.config.uid)
    setup = sizing_setup(spec, base, run.config.gpu)
    print(describe_weights(setup.weights), flush=True)
    refused = refusal(setup)
    if refused is not None:
        raise DoesNotFit(f"spec.cluster: {refused}")
    tokenizer = load_tokenizer(base, spec.model.chat_template)
    search = PromptSearch(load_prompts(workspace.rubric))
    cache = TokenCache(run.shared.tokens)
    with Tokeniser(tokenizer, spec.training.sequence_length, cache) as tokeniser:
        collected = _collect(run, tokeniser, search)
    warnings = check_matches(search.matches)
    sources = split(collected.sources, spec.blend.validation.resolved_fraction, collected.validation)
    _log_sources(sources)
    start = _start(sources, spec.blend.seed, base)
    identity = _identity(spec, collected, tokeniser)
    packed, achieved = assemble(
        sources, collected.validation, spec.blend, spec.training.sequence_length, identity, start
    )
    tokens = sum(source.tokens for source in achieved)
    result = BlendResult(
        digest=packed.digest,
        config_digest=run.config.digest,
        tokens=tokens,
        steps=ceil(packed.num_bins * packed.sequence_length / spec.training.batch_tokens),
        sources=achieved,
        parameters=setup.shape.parameters,
        adapter_parameters=setup.adapter_parameters or 0,
        base_model_digest=_base_model_digest(base),
        layout=choose_layout(setup),
        training_seconds=training_cost(setup, tokens).seconds,
        warnings=tuple(warning[:_WARNING_LENGTH] for warning in warnings[:_WARNINGS]),
    )
    packed.write(workspace.blend)
    write_lineage(workspace.blend, start)
    matches = [asdict(match) for match in search.matches]
    inputs = {"rubricDigest": _rubric_digest(run), "promptsMet": matches, "blend": identity}
    write_text(workspace.blend / INPUTS_FILE, json.dumps(inputs, indent=2) + "\n")
    keep_result(run, Stage.BLEND, result)
    if spec.storage.shared_path is None:  # else other runs may need what this one does not
        cache.prune()
    _log_result(packed, result)
    return result


def _start(sources: Sequence[SourceExamples], seed: int, base: Path) -> Lineage:
    """Where the blend starts in each source: where the base model's own training ended, if it was one."""
    earlier, fresh = read_lineage(base), first_pass(sources, seed)
    start = earlier.continued_at(fresh) if earlier else fresh
    for line in lineage_words(earlier, start):
        print(line, flush=True)
    return start


def _collect(run: Run, tokeniser: Tokeniser, search: PromptSearch) -> _Collected:
    """Every source, and the separate validation rows; the faults of all of them are reported together."""
    blend = run.config.spec.blend
    faults = Faults()

    def examples(name: str, uri: str, field: str, searched: PromptSearch | None) -> Examples:
        met = faults.count
        rows = collect(data_location(uri, run.claims, f"{field}.uri"), f"{field}.uri", faults)
        encoded = encode_rows(
            rows if searched is None else _searching(rows, searched),
            tokeniser,
            over_length=blend.over_length,
            seed=blend.seed,
            faults=faults,
            progress=told_on_console(name),
        )
        if not len(encoded) and faults.count == met:
            faults.add(f"{field}.uri ({name})", _nothing_left(encoded, uri))
        return encoded

    sources = tuple(
        (source, examples(source.name, source.uri, f"spec.blend.sources[{index}]", search))
        for index, source in enumerate(blend.sources)
    )
    uri = blend.validation.uri
    validation = examples("validation", uri, "spec.blend.validation", None) if uri is not None else None
    faults.check()
    return _Collected(sources=sources, validation=validation)


def _searching(rows: Iterable[Row], search: PromptSearch) -> Iterator[Row]:
    for row in rows:
        search.search(row.place, row.conversation)
        yield row


def _nothing_left(examples: Examples, uri: str) -> str:
    if not examples.rows:
        return f"{uri} holds no rows"
    return f"all {examples.rows:,} rows of {uri} are longer than spec.training.sequenceLength; raise it"


def _identity(spec: BlendedFineTuneSpec, collected: _Collected, tokeniser: Tokeniser) -> dict[str, Any]:
    """Everything that decides the blend."""
    blend = spec.blend
    return {
        "sources": [
            {"name": source.name, "role": source.role.value, "weight": source.weight, "data": examples.digest}
            for source, examples in collected.sources
        ],
        "validation": collected.validation.digest if collected.validation else None,
        "validationFraction": blend.validation.resolved_fraction,
        "tokenizer": tokeniser.tokenizer_digest,
        "template": text_digest(tokeniser.encoder.template),
        "sequenceLength": spec.training.sequence_length,
        "unit": blend.unit.value,
        "budget": {"epochs": blend.budget.epochs, "tokens": blend.budget.tokens},
        "overLength": blend.over_length.value,
        "seed": blend.seed,
    }


def _base_model_digest(base: Path) -> str:
    """ "" for a model that has no safetensors."""
    try:
        return weights_digest(base)
    except FileNotFoundError:
        return ""


def _rubric_digest(run: Run) -> str:
    path: Path = run.workspace.rubric
    return file_digest(path) if path.exists() else ""


def _log_sources(sources: Sequence[SourceExamples]) -> None:
    for each in sources:
        examples = each.examples
        print(
            f"{each.source.name}: {examples.rows:,} rows, {int(examples.lengths.sum()):,} tokens, "
            f"{examples.dropped:,} dropped for length, {int(each.held_out.sum()):,} held out",
            flush=True,
        )


def _log_result(packed: PackedBlend, result: BlendResult) -> None:
    for source in result.sources:
        print(
            f"{source.name}: {source.achieved_share:.2%} of the blend (target {source.target_share:.2%}), "
            f"{source.epochs:.2f} passes, {source.tokens:,} tokens",
            flush=True,
        )
    waste = 1 - result.tokens / (packed.num_bins * packed.sequence_length)
    print(
        f"blend {result.digest[:12]}: {result.tokens:,} tokens in {packed.num_bins:,} bins of "
        f"{packed.sequence_length:,} ({waste:.2%} unused), {result.steps:,} steps",
        flush=True,
    )
    for warning in result.warnings:
        print(f"warning: {warning}", flush=True)
