"""Lower the rate when the monitored value stops improving."""

import math
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau


class RelativePlateau(ReduceLROnPlateau):
    """PyTorch's scheduler, with improvement relative to the magnitude of the best value.

    PyTorch's own relative threshold, best · (1 − threshold), lets a negative value "improve" without moving;
    monitored values where larger is better arrive here with their sign turned, hence negative.
    """

    def _is_better(self, a: Any, best: Any) -> bool:
        if math.isinf(best):
            return bool(a < best)
        return bool(a < best - self.threshold * abs(best))
