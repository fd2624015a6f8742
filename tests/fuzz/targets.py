"""All targets by name."""

from functools import cache

from dlcheck.errors import DlcheckError, nearest
from tests.fuzz.diagnose_target import diagnose_targets
from tests.fuzz.read_targets import read_targets
from tests.fuzz.recipe_targets import recipe_targets
from tests.fuzz.states_target import states_targets
from tests.fuzz.target import Target
from tests.fuzz.tensor_targets import tensor_targets


@cache
def targets() -> dict[str, Target]:
    """Return every target by its name."""
    found = [*read_targets(), *diagnose_targets(), *states_targets(), *recipe_targets(), *tensor_targets()]
    return {target.name: target for target in found}


def named_target(name: str) -> Target:
    """Return one target.

    Raises:
        DlcheckError: there is none of that name.
    """
    if name not in targets():
        raise DlcheckError(f"{name}: no such target; {nearest(name, targets(), 'targets')}")
    return targets()[name]
