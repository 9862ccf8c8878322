"""The `blend` command: reads, encodes, splits, blends and packs the rows, and writes the packed blend."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from blendtune_api.contract import BlendResult, weights_digest
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Stage
from blendtune_core.sizing.describe import describe_weights
from blendtune_core.sizing.estimate import training_cost
from blendtune_core.sizing.layout import Setup, choose_layout
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadData
from blendtune_runtime.files import write_text
from blendtune_runtime.held_out import held_out_file, write_held_out
from blendtune_runtime.models.upload import try_upload
from blendtune_runtime.program import run_program
from blendtune_runtime.uris import store_path
from blendtune_runtime.workspace_lock import hold
from blendtune_trainer.blending.assemble import SourceExamples, assemble, first_pass, split
from blendtune_trainer.blending.general_rows import general_held_out
from blendtune_trainer.blending.lineage import Lineage, describe_lineage, read_lineage, write_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import fetch_base_model
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.preflight.prompts import try_prompts
from blendtune_trainer.preflight.trainable import require_fit, require_trainable
from blendtune_trainer.preflight.trial import try_model
from blendtune_trainer.rows.contamination import PromptSearch, RubricPrompt, check_matches, load_prompts
from blendtune_trainer.sources import EncodedSources, encode_sources, row_encoder
from blendtune_trainer.stage import Run, load_result, load_run, save_result
from blendtune_trainer.tokens.digests import file_digest
from blendtune_trainer.tokens.row_encoder import RowEncoder
from blendtune_trainer.tokens.thinking import Mode, notes, resolved, with_thinking
from blendtune_trainer.tokens.token_cache import Repeats, TokenCache
from blendtune_trainer.tokens.token_files import TOKENS_FOLDER, TokenFiles
from blendtune_trainer.training.compared import compared_positions

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
class _Reading:
    """What one reading of all rows found, and with what they were encoded."""

    encoded: EncodedSources
    encoder: RowEncoder
    search: PromptSearch
    mode: Mode


def _prepare(run: Run) -> BlendResult:
    spec, workspace = run.config.spec, run.workspace
    base = fetch_base_model(spec.model, run.claims, run.shared, run.config.uid)
    setup = sizing_setup(spec, base, run.config.gpu)
    print(describe_weights(setup.weights), flush=True)
    require_fit(setup)
    tokenizer = load_tokenizer(base, spec.model.chat_template)
    prompts = load_prompts(workspace.rubric)
    _try(run, base, tokenizer, [prompt.text for prompt in prompts])
    with TokenFiles(workspace.root / TOKENS_FOLDER) as tokens:
        return _blend(run, base, setup, tokenizer, prompts, tokens)


def _blend(
    run: Run,
    base: Path,
    setup: Setup,
    tokenizer: Any,
    prompts: Sequence[RubricPrompt],
    tokens: TokenFiles,
) -> BlendResult:
    spec, workspace = run.config.spec, run.workspace
    cache = TokenCache(run.shared.tokens)
    reading = with_thinking(
        spec.model.thinking, lambda mode: _read(run, prompts, tokenizer, cache, tokens, mode)
    )
    encoded, encoder, renderer = reading.encoded, reading.encoder, reading.encoder.chat.renderer
    warnings = (*check_matches(reading.search.matches), *_notes(spec, reading), *encoded.warnings)
    sources = split(encoded.sources, spec.blend.validation.resolved_fraction, encoded.validation)
    _log_sources(sources)
    start = _starting_lineage(sources, spec.blend.seed, base)
    identity = _identity(spec, encoded, encoder)
    packed, achieved = assemble(
        sources, encoded.validation, tokens, spec.blend, spec.training.sequence_length, identity, start
    )
    token_count = sum(source.tokens for source in achieved)
    result = BlendResult(
        digest=packed.digest,
        config_digest=run.config.digest,
        tokens=token_count,
        steps=ceil(packed.num_bins * packed.sequence_length / spec.training.batch_tokens),
        sources=achieved,
        parameters=setup.shape.parameters,
        adapter_parameters=setup.adapter_parameters or 0,
        base_model_digest=_base_model_digest(base),
        layout=choose_layout(setup),
        rendering=renderer.digest,
        thinking=resolved(spec.model.thinking, reading.mode, renderer),
        date=run.config.date,
        training_seconds=training_cost(setup, token_count).seconds,
        warnings=tuple(_cut(warning) for warning in warnings[:_WARNINGS]),
        bad_rows=encoded.bad_rows,
    )
    compared_positions(spec, packed)
    packed.write(workspace.blend, tokens.paths)
    write_held_out(held_out_file(workspace.blend), general_held_out(sources, packed))
    write_lineage(workspace.blend, start)
    matches = [asdict(match) for match in reading.search.matches]
    inputs = {"rubricDigest": _rubric_digest(run), "promptsMet": matches, "blend": identity}
    write_text(workspace.blend / INPUTS_FILE, json.dumps(inputs, indent=2) + "\n")
    save_result(run, Stage.BLEND, result)
    if spec.storage.shared_path is None:  # otherwise other runs may use the rest of the cache
        cache.prune()
    _log_result(packed, result, warnings)
    return result


def _try(run: Run, base: Path, tokenizer: Any, prompts: Sequence[str]) -> None:
    """Tries what would otherwise fail while GPUs are held. Raises as the functions it calls."""
    spec = run.config.spec
    model = require_trainable(spec, base, tokenizer)
    try_prompts(spec, tokenizer, model.config, prompts)
    if spec.export is not None:
        try_upload(store_path(spec.export.uri, run.claims, "spec.export.uri"))
    try_model(spec, base, tokenizer)


def _starting_lineage(sources: Sequence[SourceExamples], seed: int, base: Path) -> Lineage:
    """Where the blend starts in each source: where the base model's training ended, if it has a lineage."""
    earlier, fresh = read_lineage(base), first_pass(sources, seed)
    start = earlier.resumed(fresh) if earlier else fresh
    for line in describe_lineage(earlier, start):
        print(line, flush=True)
    return start


def _read(
    run: Run,
    prompts: Sequence[RubricPrompt],
    tokenizer: Any,
    cache: TokenCache,
    tokens: TokenFiles,
    mode: Mode,
) -> _Reading:
    """Reads and encodes all rows. Raises ReasoningMet if the mode asks for it."""
    spec = run.config.spec
    search = PromptSearch(prompts)
    with row_encoder(run, tokenizer, cache, mode) as encoder:
        resolved(spec.model.thinking, mode, encoder.chat.renderer)
        encoded = encode_sources(run, encoder, tokens, search)
    return _Reading(encoded=encoded, encoder=encoder, search=search, mode=mode)


def _notes(spec: BlendedFineTuneSpec, reading: _Reading) -> tuple[str, ...]:
    examples = reading.encoded.all
    repeats = sum((each.repeats for each in examples), Repeats())
    tokens = sum(int(each.lengths.sum()) for each in examples)
    return notes(spec.model.thinking, reading.encoder.reasoned_rows, repeats, tokens)


def _identity(spec: BlendedFineTuneSpec, encoded: EncodedSources, encoder: RowEncoder) -> dict[str, Any]:
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
        "rendering": encoder.rendering_digest,
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
            f"{examples.dropped:,} dropped for length, {examples.bad_rows:,} bad, "
            f"{int(each.held_out.sum()):,} held out",
            flush=True,
        )


def _log_result(packed: PackedBlend, result: BlendResult, warnings: Sequence[str]) -> None:
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
    for warning in warnings:
        print(f"warning: {warning}", flush=True)


def _cut(warning: str) -> str:
    """The warning, of bounded length."""
    return warning if len(warning) <= _WARNING_LENGTH else warning[: _WARNING_LENGTH - 4] + " ..."
