"""Which rules judge: --select and --ignore by code prefix, the longest wins."""

from collections.abc import Iterable, Mapping

from dlcheck.errors import DlcheckError, nearest
from dlcheck.rules.rule import Rule


def selected(rules: Mapping[str, Rule], select: Iterable[str], ignore: Iterable[str]) -> list[Rule]:
    """Return the rules to apply; of the prefixes that match a code the longest decides, on a tie ``ignore``.

    Nothing selected means everything.

    Raises:
        DlcheckError: a prefix in ``select`` fits no rule.
    """
    wanted, unwanted = tuple(select), tuple(ignore)
    for prefix in wanted:
        if not any(code.startswith(prefix) for code in rules):
            raise DlcheckError(f"select {prefix!r}: no such rule; {nearest(prefix, rules, 'rules')}")
    default = 0 if not wanted else -1
    return [rule for code, rule in rules.items() if max(_longest(code, wanted), default) > _longest(code, unwanted)]


def checked_thresholds(
    rules: Mapping[str, Rule], overrides: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Mapping[str, float]]:
    """Return the overrides unchanged.

    Raises:
        DlcheckError: no such rule, or the rule has no threshold of that name.
    """
    for code, values in overrides.items():
        if code not in rules:
            raise DlcheckError(f"rules.thresholds.{code}: no such rule; {nearest(code, rules, 'rules')}")
        known = rules[code].thresholds
        for name in values:
            if name not in known:
                hint = nearest(name, known, "valid")
                raise DlcheckError(f"rules.thresholds.{code}.{name}: {code} has no such threshold; {hint}")
    return overrides


def _longest(code: str, prefixes: tuple[str, ...]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)
