"""The proof: how often dlcheck is right about trainings whose faults are known.

A *program* (``programs.py``) is a data set, an architecture and an optimizer family. It is trained as it stands and in
valid but unusual *styles* (``styles.py``): these are the healthy trainings. A *fault* (``plants/``) is a mistake that a
person makes, planted into a program's *plan* (``plan.py``) before it begins; one loop (``loop.py``) carries out all of
them. dlcheck is asked three ways (``ask.py``): while it trains, by the log alone, and before it trains. Peers
(``peers/``) are asked about the same trainings.

What counts is decided without asking any doctor (``cases.py``, ``kill.py``): a fault counts if it hurts over five
seeds, or if it is exact (a softmax too many is one, whether it hurts or not); a training meant to be healthy counts if
its score is as good as its program's. Half of the programs of each data set may be used to choose thresholds; the
figures to quote are those of the other, the held half (``programs.halves``, drawn from a written seed).

    python -m tests.benchmarks.faults --help

To add a fault, write a function that changes a ``Plan`` into the file of its family in ``plants/`` under the decorator
``@fault(codes, …)``: which findings name it, whether it is exact, in which ways it can be seen, where it fits, and who
described it. Its docstring says what a person did wrong. ``test_plants.py`` goes over all of them.
"""
