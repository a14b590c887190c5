"""Going to another view of the canvas: 180 ms, slowing down, or at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEasingCurve, QObject, QVariantAnimation

from app.canvas.camera import Camera

if TYPE_CHECKING:
    from app.canvas.surface import Surface


class Glide(QObject):
    """Moves the view of a canvas."""

    def __init__(self, canvas: Surface) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._from = self._to = Camera()
        self.still = False
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(180)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._on_step)

    def to(self, camera: Camera, animated: bool = True) -> None:
        """Go there."""
        self._animation.stop()
        if self.still or not animated or not self._canvas.isVisible():
            self._canvas.set_camera(camera)
            return
        self._from, self._to = self._canvas.camera, camera
        self._animation.start()

    def stop(self) -> None:
        """Stay where it is now."""
        self._animation.stop()

    def _on_step(self, share: object) -> None:
        part = float(share) if isinstance(share, float) else 1.0
        self._canvas.set_camera(self._to if part >= 1 else self._from.between(self._to, part))
