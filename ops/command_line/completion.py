"""`ops completion`: a shell function `ses-feedback` that runs `python -m ops` from anywhere, with completion."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.command_line.console import fail

PROGRAM = "python -m ops"
COMPLETE_VARIABLE = "_SES_FEEDBACK_COMPLETE"
_ROOT = Path(__file__).resolve().parents[2]
_BASH = """\
ses-feedback() {{ PYTHONPATH={root} {python} -m ops "$@"; }}
_ses_feedback() {{
  local IFS=$'\\n'
  COMPREPLY=( $(COMP_WORDS="${{COMP_WORDS[*]}}" COMP_CWORD=$COMP_CWORD {variable}=complete_bash ses-feedback) )
}}
complete -o default -F _ses_feedback ses-feedback
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


def completion(shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash or zsh.")]) -> None:
    """Write a function `ses-feedback`, with completion, for your shell's start-up file.

    In bash: `eval "$(python -m ops completion bash)"`.
    """
    if shell not in ("bash", "zsh"):
        fail(f"there is no completion for {shell}; there is for bash and zsh")
    script = _BASH.format(root=shlex.quote(str(_ROOT)), python=shlex.quote(sys.executable), variable=COMPLETE_VARIABLE)
    typer.echo((_ZSH if shell == "zsh" else "") + script, nl=False)
