"""The arrays that pass between rooms, by what they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
