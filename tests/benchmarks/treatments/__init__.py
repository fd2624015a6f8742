"""The proof of ``dlcheck treat``: how often it cures recipes whose fault is known, and leaves healthy ones alone.

A *program* (``programs.py``) is a healthy recipe: a data set that ships with the toys, an architecture, an optimizer.
A *fault* (``faults.py``) is a patch of it, as a person might write it. It counts where it hurts over five seeds
(``tests/benchmarks/faults/kill.py``); the sick recipe is then treated, and what it ends as is trained with seeds that
no treatment saw, beside its healthy twin. *Healthy variants* (``variants.py``) are seeds and valid, unusual settings.
Two others treat the same recipes: random patches with the same proof at the same cost (``rivals/chance.py``), and
AutoTrainer's repairs, our re-implementation (``rivals/autotrainer.py``).

Half of the programs of each data set may be used to choose what treats them; the figures to quote are those of the
other, the held-out half (``programs.halves``, drawn from a written seed).

    python -m tests.benchmarks.treatments --help
"""
