"""The rows of a training for TensorBoard, which draws them while it runs.

Chapter: book/training.md
"""

from pathlib import Path
from types import TracebackType
from typing import Any

from lmcourse.loop.run_folder import Row

EVENTS = "tensorboard"  # in the folder of a training
# The columns of the table, by the name of the curve: those with a slash before it stand together.
CURVES = {
    "loss/training": "loss",
    "loss/validation": "validation_loss",
    "accuracy/validation": "accuracy",
    "learning_rate": "learning_rate",
    "gradient_norm": "gradient_norm",
    "predictions_per_second": "predictions_per_second",
}


class EventLog:
    """Event files of TensorBoard; give its `add` to `train` as `after_step`.

    Where a training goes on from its last save, TensorBoard is told to forget the later steps.

    Raises:
        ValueError: tensorboard is not installed; how to get it.
    """

    def __init__(self, folder: str | Path):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ValueError(
                f"tensorboard must be installed to write for it, got {error}: in the course's"
                ' folder, python -m pip install -c constraints.txt -e ".[tensorboard]"'
            ) from error
        self.folder, self._open = Path(folder), SummaryWriter
        self._writer: Any = None

    def add(self, row: Row) -> None:
        """Writes what was measured in a step; what was not has no point in its curve."""
        if self._writer is None:
            self._writer = self._open(str(self.folder), purge_step=row.step)
        for curve, name in CURVES.items():
            value = getattr(row, name)
            if value is not None:
                self._writer.add_scalar(curve, value, row.step)
        if row.validation_loss is not None:
            self._writer.flush()

    def close(self) -> None:
        """Writes what is still in memory."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
