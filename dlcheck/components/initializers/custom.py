"""The user's own initialisation."""

from dlcheck.components.initializers.registry import INITIALIZERS, Setting
from dlcheck.components.target import call_target
from dlcheck.recipe.model import CustomInit


@INITIALIZERS.register(CustomInit)
def call_custom(section: CustomInit, setting: Setting) -> None:
    """Call the target with the model (its head alone when it starts from trained weights) and the further keys."""
    call_target(section.target, setting.folder, setting.scope, **section.arguments)
