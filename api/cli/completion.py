"""``arcgrad completion``: what a shell completes after ``arcgrad``, generated from the parser itself.

Commands, options, choices of options, and files; the text is to be evaluated by the shell.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

__all__ = ["completion"]


class _Command(NamedTuple):
    name: str
    summary: str
    options: list[tuple[str, str, list[str], bool]]  # spelling, help, choices, whether it takes a value
    choices: list[str]  # of its positional arguments


def completion(arguments: argparse.Namespace) -> int:
    """``arcgrad completion``."""
    from arcgrad.cli import make_parser

    commands = _commands(make_parser())
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[arguments.shell](commands))
    return 0


def _commands(parser: argparse.ArgumentParser) -> list[_Command]:
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    summaries = {choice.dest: choice.help or "" for choice in subparsers._choices_actions}
    found = []
    for name, command in subparsers.choices.items():
        options, choices = [], []
        for action in command._actions:
            values = [str(choice) for choice in action.choices or ()]
            if not action.option_strings:
                choices += values
            for spelling in action.option_strings:
                takes = action.nargs != 0
                options.append((spelling, (action.help or "").partition(";")[0], values, takes))
        found.append(_Command(name, summaries[name], options, choices))
    return found


def _bash(commands: list[_Command]) -> str:
    cases, values = [], []
    for command in commands:
        words = " ".join([*(spelling for spelling, *_ in command.options), *command.choices])
        cases.append(f'    {command.name}) words="{words}" ;;')
        for spelling, _, choices, takes in command.options:
            if takes:
                values.append(f'    {command.name}:{spelling}) words="{" ".join(choices)}" ;;')
    names = " ".join(command.name for command in commands)
    return f"""\
# Completion of arcgrad for bash:  eval "$(arcgrad completion bash)"
_arcgrad() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{names} --help --version" -- "$word"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{_joined(cases)}
  esac
  case "${{COMP_WORDS[1]}}:$before" in
{_joined(values)}
    *:=) words="" ;;
  esac
  # In NAME=FILE, bash takes = for a word of its own.
  if [ "$word" = "=" ]; then
    words="" word=""
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  if [ "${{#COMPREPLY[@]}}" -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _arcgrad arcgrad"""


def _joined(lines: list[str]) -> str:
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh(commands: list[_Command]) -> str:
    lines = [
        "#compdef arcgrad",
        '# Completion of arcgrad for zsh:  eval "$(arcgrad completion zsh)"',
        "_arcgrad() {",
        "  local -a commands",
        "  commands=(",
        *(f"    {_quoted(f'{command.name}:{command.summary}')}" for command in commands),
        "  )",
        "  if (( CURRENT == 2 )); then",
        "    _describe command commands",
        "    return",
        "  fi",
        '  case "$words[2]" in',
    ]
    for command in commands:
        specs = []
        for spelling, help_, choices, takes in command.options:
            text = help_.translate({ord("["): "(", ord("]"): ")", ord(":"): ","})
            value = "" if not takes else f":value:({' '.join(choices)})" if choices else ":value:_files"
            specs.append(_quoted(f"{spelling}[{text}]{value}"))
        rest = f"*:value:({' '.join(command.choices)})" if command.choices else "*:value:_files"
        lines.append(f"    {command.name}) _arguments {' '.join([*specs, _quoted(rest)])} ;;")
    return "\n".join([*lines, "  esac", "}", "compdef _arcgrad arcgrad"])


def _fish(commands: list[_Command]) -> str:
    lines = ["# Completion of arcgrad for fish:  arcgrad completion fish | source"]
    for command in commands:
        lines.append(f"complete -c arcgrad -f -n __fish_use_subcommand -a {command.name} -d {_quoted(command.summary)}")
        seen = _quoted(f"__fish_seen_subcommand_from {command.name}")
        for spelling, help_, choices, takes in command.options:
            kind = f"-l {spelling[2:]}" if spelling.startswith("--") else f"-s {spelling[1:]}"
            value = "" if not takes else f" -x -a {_quoted(' '.join(choices))}" if choices else " -r -F"
            lines.append(f"complete -c arcgrad -n {seen} {kind}{value} -d {_quoted(help_)}")
        if command.choices:
            lines.append(f"complete -c arcgrad -f -n {seen} -a {_quoted(' '.join(command.choices))}")
    return "\n".join(lines)
