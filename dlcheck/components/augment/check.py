"""Whether anything is switched on, and whether the data allows it."""

from dlcheck.components.info import Task
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import Augment

GEOMETRIC = (
    "flip_horizontal",
    "flip_vertical",
    "crop",
    "pad_crop",
    "translate",
    "scale",
    "rotate",
    "shear",
    "distort",
)
PHOTOMETRIC = ("brightness", "contrast", "colour_cast", "noise", "erase")


def augments(section: Augment) -> list[str]:
    """Return the keys that are switched on."""
    return [key for key in (*GEOMETRIC, *PHOTOMETRIC) if getattr(section, key)]


def check_augment(section: Augment, task: Task, shape: tuple[int, ...]) -> None:
    """Refuse augmentation that the data cannot have.

    Raises:
        DlcheckError: the samples are no images; a crop would be empty; or images that are their own targets
            would be moved away from them.
    """
    active = augments(section)
    if section.eval_crops != 1:
        active.append("eval_crops")
    if not active:
        return
    if len(shape) != 3:
        raise DlcheckError(f"augment.{active[0]}: samples of shape {shape} are no images (channels, height, width)")
    moving = [key for key in active if key in GEOMETRIC or key == "eval_crops"]
    if task == "reconstruction" and moving:
        raise DlcheckError(
            f"augment.{moving[0]}: moves the input but not the image to reconstruct; valid: {', '.join(PHOTOMETRIC)}"
        )
    if section.pad_crop > max(shape[1:]):
        raise DlcheckError(f"augment.pad_crop = {section.pad_crop}: larger than the image ({shape[1]}×{shape[2]})")
