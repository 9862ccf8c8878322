"""The `blend` command: reads, encodes, splits, blends and packs the rows, and writes the packed blend."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from blendtune_api.contract import BlendResult, weights_digest
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Source, Stage
from blendtune_core.sizing.describe import describe_weights, refusal
from blendtune_core.sizing.estimate import training_cost
from blendtune_core.sizing.layout import choose_layout
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadData, DoesNotFit
from blendtune_runtime.files import write_text
from blendtune_runtime.program import run_program
from blendtune_runtime.uris import data_location
from blendtune_trainer.blending.assemble import SourceExamples, assemble, first_pass, split
from blendtune_trainer.blending.lineage import Lineage, describe_lineage, read_lineage, write_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import fetch_base_model
from blendtune_trainer.model.load import require_attention
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.preflight.prompts import try_prompts
from blendtune_trainer.preflight.target import try_export_target
from blendtune_trainer.preflight.trial import try_model
from blendtune_trainer.preflight.vocabulary import require_own_tokenizer
from blendtune_trainer.preflight.weights import require_weights
from blendtune_trainer.rows.collect import Row, collect
from blendtune_trainer.rows.console import console_progress
from blendtune_trainer.rows.contamination import PromptSearch, check_matches, load_prompts
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.stage import Run, load_result, load_run, save_result
from blendtune_trainer.tokens.digests import file_digest, text_digest
from blendtune_trainer.tokens.examples import Examples, encode_rows
from blendtune_trainer.tokens.row_encoder import RowEncoder
from blendtune_trainer.tokens.token_cache import TokenCache
from blendtune_trainer.workspace import hold

# In the blend's folder: everything that decided the blend, and the rubric's prompts found in its rows.
INPUTS_FILE = "inputs.json"
_WARNINGS = 4  # in the result, at most
_WARNING_LENGTH = 300  # characters, at most


def main() -> int:
    """Prepares the run that the environment names; returns the exit code."""
    transformers_logging.disable_progress_bar()
    return run_program(lambda: prepare(load_run(os.environ)))


def prepare(run: Run) -> BlendResult:
    """Writes the packed blend of a run into its workspace, unless it is there already.

    Raises BadData for the rows, BadRubric for the rubric, BadConfiguration or BadModel for the spec or the
    model, DoesNotFit if the training needs more memory than its GPUs have, WorkspaceInUse, and Transient if a
    store or the hub does not answer. It then writes no blend.
    """
    with hold(run.workspace, run.config.uid, run.config.digest):
        finished = finished_blend(run)
        if finished is not None:
            print(f"the blend {finished.digest[:12]} is already in the workspace", flush=True)
            return finished
        return _prepare(run)


def finished_blend(run: Run) -> BlendResult | None:
    """The result of an earlier attempt, if its blend is complete and its rubric was the same."""
    result = load_result(run, Stage.BLEND, BlendResult)
    if result is None:
        return None
    try:
        inputs = json.loads((run.workspace.blend / INPUTS_FILE).read_text())
        packed = PackedBlend.open(run.workspace.blend)
    except (OSError, ValueError, BadData):
        return None
    same_rubric = inputs.get("rubricDigest") == _rubric_digest(run)
    return result if packed.digest == result.digest and same_rubric else None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _EncodedSources:
    """The examples of every source, and those of `spec.blend.validation.uri` if it is set."""

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
    prompts = load_prompts(workspace.rubric)
    _try(run, base, tokenizer, [prompt.text for prompt in prompts])
    search = PromptSearch(prompts)
    cache = TokenCache(run.shared.tokens)
    with RowEncoder(tokenizer, spec.training.sequence_length, cache) as encoder:
        encoded = _encode_sources(run, encoder, search)
    warnings = check_matches(search.matches)
    sources = split(encoded.sources, spec.blend.validation.resolved_fraction, encoded.validation)
    _log_sources(sources)
    start = _starting_lineage(sources, spec.blend.seed, base)
    identity = _identity(spec, encoded, encoder)
    packed, achieved = assemble(
        sources, encoded.validation, spec.blend, spec.training.sequence_length, identity, start
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
    save_result(run, Stage.BLEND, result)
    if spec.storage.shared_path is None:  # otherwise other runs may use the rest of the cache
        cache.prune()
    _log_result(packed, result)
    return result


def _try(run: Run, base: Path, tokenizer: Any, prompts: Sequence[str]) -> None:
    """Tries what would otherwise fail while GPUs are held. Raises as the functions it calls."""
    spec = run.config.spec
    model = require_weights(base)
    require_own_tokenizer(tokenizer, model)
    require_attention(spec.training, model.config)
    try_prompts(spec, tokenizer, model.config, prompts)
    try_export_target(spec.export, run.claims)
    try_model(spec, base, tokenizer)


def _starting_lineage(sources: Sequence[SourceExamples], seed: int, base: Path) -> Lineage:
    """Where the blend starts in each source: where the base model's training ended, if it has a lineage."""
    earlier, fresh = read_lineage(base), first_pass(sources, seed)
    start = earlier.resumed(fresh) if earlier else fresh
    for line in describe_lineage(earlier, start):
        print(line, flush=True)
    return start


def _encode_sources(run: Run, encoder: RowEncoder, search: PromptSearch) -> _EncodedSources:
    """The examples of all sources and of the validation rows. Raises BadData with the faults of all."""
    blend = run.config.spec.blend
    faults = Faults()
    sources = tuple(
        (
            source,
            _encode_source(
                run, encoder, faults, source.name, source.uri, f"spec.blend.sources[{index}]", search
            ),
        )
        for index, source in enumerate(blend.sources)
    )
    uri, validation = blend.validation.uri, None
    if uri is not None:
        validation = _encode_source(run, encoder, faults, "validation", uri, "spec.blend.validation", None)
    faults.check()
    return _EncodedSources(sources=sources, validation=validation)


def _encode_source(
    run: Run,
    encoder: RowEncoder,
    faults: Faults,
    name: str,
    uri: str,
    field: str,
    search: PromptSearch | None,
) -> Examples:
    """The examples of the rows at `uri`. `field` is their path in the spec, `search` looks through them."""
    blend = run.config.spec.blend
    earlier_faults = faults.count
    rows = collect(data_location(uri, run.claims, f"{field}.uri"), f"{field}.uri", faults)
    examples = encode_rows(
        rows if search is None else _searched(rows, search),
        encoder,
        over_length=blend.over_length,
        seed=blend.seed,
        faults=faults,
        progress=console_progress(name),
    )
    if not len(examples) and faults.count == earlier_faults:
        faults.add(f"{field}.uri ({name})", _nothing_left(examples, uri))
    return examples


def _searched(rows: Iterable[Row], search: PromptSearch) -> Iterator[Row]:
    """The rows, each searched for the prompts of the rubric."""
    for row in rows:
        search.search(row.place, row.conversation)
        yield row


def _nothing_left(examples: Examples, uri: str) -> str:
    """Why a source without faults has no examples."""
    if not examples.rows:
        return f"{uri} holds no rows"
    return f"all {examples.rows:,} rows of {uri} are longer than spec.training.sequenceLength; raise it"


def _identity(spec: BlendedFineTuneSpec, encoded: _EncodedSources, encoder: RowEncoder) -> dict[str, Any]:
    """Everything that decides the blend, as a JSON document."""
    blend = spec.blend
    return {
        "sources": [
            {"name": source.name, "role": source.role.value, "weight": source.weight, "data": examples.digest}
            for source, examples in encoded.sources
        ],
        "validation": encoded.validation.digest if encoded.validation else None,
        "validationFraction": blend.validation.resolved_fraction,
        "tokenizer": encoder.tokenizer_digest,
        "template": text_digest(encoder.chat.template),
        "sequenceLength": spec.training.sequence_length,
        "unit": blend.unit.value,
        "budget": {"epochs": blend.budget.epochs, "tokens": blend.budget.tokens},
        "overLength": blend.over_length.value,
        "seed": blend.seed,
    }


def _base_model_digest(base: Path) -> str:
    """The digest of the base model's weights; "" if it has no safetensors."""
    try:
        return weights_digest(base)
    except FileNotFoundError:
        return ""


def _rubric_digest(run: Run) -> str:
    """The digest of the checked rubric; "" if there is none."""
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
