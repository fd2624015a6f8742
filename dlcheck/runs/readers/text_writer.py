"""Which framework printed a text log, judged by lines that no other one prints."""

import re

_SIGNS = {
    "fairseq": r"^\[[^\]\n]+\]\[fairseq[\w.]*\]\[[A-Z]+\] - |\| INFO \| fairseq[\w.]* \| ",
    "megatron": r"^.{0,40}?\biteration +\d+/ *\d+ \| (?:.*\| )?(?:consumed samples|elapsed time per iteration)\b",
    "caffe": r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ (?:\w*solver|caffe)\.cpp:\d+\] ",
    "paddle": r"^\[[\d/ :-]+\] (?:pp[a-z]+|paddle\w*)(?:\.[\w.]+)? [A-Z]+: |/site-packages/paddle/",
    "nanogpt": r"^iter \d+: loss \S+, time \S+ms(?:, mfu \S+%)?$|^step \d+: train loss \S+, val loss \S+$",
    "hugging-face": r"\*{5} Running training \*{5}|\{'(?:train_)?loss': [^,{}\n]+, [^{}\n]*'epoch': [\d.]+\}",
    "keras": (
        r"^Train on \d+ (?:samples|steps)(?:, validate on \d+ (?:samples|steps))?$"
        r"|^ *\d+/(?:\d+|Unknown) (?:\[=*>?\.*\] |━[━ ]*)- |^ *\d+/\d+ ━+ \d+s "
    ),
}
"""Written from the lines of real logs; the first that is found anywhere counts."""
_COMPILED = {name: re.compile(sign, re.MULTILINE) for name, sign in _SIGNS.items()}


def text_format(text: str) -> str | None:
    """Return the name of the format of a text log, as ``keras-text``; None where its writer is not known.

    Args:
        text: The beginning, and perhaps the end, of a log, with line feeds and without escape sequences.
    """
    return next((f"{name}-text" for name, sign in _COMPILED.items() if sign.search(text)), None)
