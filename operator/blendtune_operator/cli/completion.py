"""`blendtune completion`: what makes bash, zsh or fish complete commands, options and their values."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blendtune_operator.cli.choices import Shell
from blendtune_operator.cli.parser import commands

if TYPE_CHECKING:
    from rich.console import Console

PROGRAMS = ("blendtune", "kubectl-blendtune")

_BASH = """\
_blendtune() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  case "${{COMP_WORDS[1]}} $previous" in
{values}
  *)
    if [ "$COMP_CWORD" -eq 1 ]; then words="{commands}"; else
      case "${{COMP_WORDS[1]}}" in
{options}
      esac
    fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _blendtune {programs}
"""


def completion(parsed: argparse.Namespace, _: Console) -> int:
    sys.stdout.write(script(parsed.shell))
    return 0


def script(shell: Shell) -> str:
    """Words are completed to commands, options and values, everything else to files."""
    if shell is Shell.FISH:
        return "".join(f"{line}\n" for line in _fish())
    bash = _BASH.format(
        commands=" ".join(commands()),
        options="\n".join(
            f'      {name}) words="{" ".join(_options(parser))}" ;;' for name, parser in commands().items()
        ),
        values="\n".join(
            f'  "{name} {previous}") words="{" ".join(values)}" ;;'
            for name, parser in commands().items()
            for previous, values in _values(name, parser)
        ),
        programs=" ".join(PROGRAMS),
    )
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash}" if shell is Shell.ZSH else bash


def _fish() -> Iterator[str]:
    for program in PROGRAMS:
        for name, parser in commands().items():
            yield f"complete -c {program} -n __fish_use_subcommand -a {name} -d {_quoted(parser.description)}"
            inside = f"complete -c {program} -n '__fish_seen_subcommand_from {name}'"
            for action in parser._actions:
                flags = " ".join(
                    f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                    for flag in action.option_strings
                )
                values = " ".join(map(str, action.choices or ()))
                if flags or values:
                    given = f" -xa '{values}'" if values else " -r" if action.nargs != 0 else ""
                    yield f"{inside} {flags}{given} -d {_quoted(action.help)}".replace("  ", " ")


def _quoted(text: str | None) -> str:
    told = (text or "").replace("%(default)s", "").replace("%(default)g", "")
    return "'" + told.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings


def _values(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, list[str]]]:
    """What may follow an option, or the command itself, where only a few words may."""
    for action in parser._actions:
        if action.choices:
            for previous in action.option_strings or [name]:
                yield previous, [str(choice) for choice in action.choices]
