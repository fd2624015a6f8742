"""Rules: a folder a family, a file a rule; pure functions from a run to findings. Imports no torch."""

from dlcheck.rules.engine import diagnose
from dlcheck.rules.explain import explain
from dlcheck.rules.registry import all_rules, find_rule
from dlcheck.rules.rule import Rule, Threshold, Unchecked, rule
from dlcheck.rules.verdict import Verdict, verdict

__all__ = [
    "Rule",
    "Threshold",
    "Unchecked",
    "Verdict",
    "all_rules",
    "diagnose",
    "explain",
    "find_rule",
    "rule",
    "verdict",
]
