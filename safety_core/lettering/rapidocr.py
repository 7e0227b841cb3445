"""Reads lettering with the PP-OCR models of the package rapidocr-onnxruntime, on one core of the CPU.

The steps are RapidOCR's, but every run of a network ends at the deadline, and lettering is recognised in small batches:
of a picture without lettering, only the detector runs. The result is complete or names a problem. English print;
rotated lettering is not read reliably.

Shapes: H, W pixels · N boxes · 4 corners, clockwise from the upper left.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from safety_core.errors import ConfigError
from safety_core.lettering.reading import Box, Lettering, Line, Problem, ReadingLimits

INSTALL = 'pip install "safevlm-guard[ocr]"'
"""Installs what this reader needs."""

INSTALL_HEADLESS = 'pip install --force-reinstall --no-deps "opencv-python-headless<6"'
"""Replaces an OpenCV that needs a graphics library which this machine lacks."""

MIN_CONFIDENCE = 0.5
"""Boxes with less confidence count as patterns that are not lettering; RapidOCR's own default."""

_MAX_CONTOURS = 1000
"""Contours of the detector's map that are examined; a photograph has less than a hundred."""

_MIN_SIDE = 64
"""Shorter sides are extended to this many pixels, because the detector works on blocks of 32."""

_BATCH, _BATCH_WIDTH = 6, 2048
"""Boxes that are recognised together, and their total width in pixels at the network's height: about 0.2 seconds."""

_UPRIGHT = 1.5
"""Boxes that are higher than this many widths contain lettering from top to bottom."""


class _OutOfTimeError(Exception):
    """The deadline has passed."""


class RapidOcrReader:
    """Reads lettering; may be used from several threads, each of which reads one picture on one core.

    Args:
        limits: bounds on pictures and results.

    Raises:
        ConfigError: RapidOCR is not installed, or OpenCV cannot be loaded.
    """

    def __init__(self, limits: ReadingLimits | None = None) -> None:
        self._limits = ReadingLimits() if limits is None else limits
        self._cv2, self._runtime, package = _import_libraries()
        engine: Any = package.RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
        for name in ("RapidOCR", "OrtInferSession"):  # the package lets these loggers write to standard error
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.setLevel(logging.WARNING)
        self._engine = engine
        self._detector, self._recogniser = engine.text_det, engine.text_rec
        self._preprocess = import_module("rapidocr_onnxruntime.ch_ppocr_det.utils").DetPreProcess(
            self._limits.side, "max", self._detector.mean, self._detector.std
        )
        self._detector.postprocess_op.max_candidates = _MAX_CONTOURS

    def __repr__(self) -> str:
        return f"RapidOcrReader({self._limits!r})"

    def read(self, image: Image.Image) -> Lettering:
        """Read the lettering of an RGB picture."""
        width, height = image.size
        pixels_HWC = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])  # the networks read BGR
        below, beside = max(0, _MIN_SIDE - height), max(0, _MIN_SIDE - width)
        if below or beside:
            pixels_HWC = np.pad(pixels_HWC, ((0, below), (0, beside), (0, 0)), mode="edge")
        try:
            with self._enforce_deadline() as run:
                boxes_N42 = self._find_boxes(pixels_HWC, run)
                if not len(boxes_N42):
                    return Lettering()
                if len(boxes_N42) > self._limits.boxes:
                    return Lettering(problem=Problem.BOXES)
                lines: list[Line] = []
                for line in self._recognise(pixels_HWC, boxes_N42, run, width, height):
                    lines.append(line)
                    if sum(len(line.text) for line in lines) > self._limits.characters:
                        return Lettering(problem=Problem.CHARACTERS)
        except _OutOfTimeError:
            return Lettering(problem=Problem.TIME)
        except _TooManyContoursError:
            return Lettering(problem=Problem.BOXES)
        return Lettering(lines=tuple(lines))

    @contextmanager
    def _enforce_deadline(self) -> Iterator[_Run]:
        """Yield an object that runs networks until the deadline, which also ends a run in progress."""
        run = _Run(self._runtime.RunOptions(), time.monotonic() + self._limits.picture_s)
        timer = threading.Timer(self._limits.picture_s, run.terminate)
        timer.daemon = True
        timer.start()
        try:
            yield run
        finally:
            timer.cancel()

    def _find_boxes(self, pixels_HWC: NDArray[np.uint8], run: _Run) -> NDArray[np.float32]:
        """Find the boxes of lettering, shape (N, 4, 2) in pixels."""
        none = np.zeros((0, 4, 2), np.float32)
        prepared = self._preprocess(pixels_HWC)
        postprocess = self._detector.postprocess_op
        map_HW = run.run(self._detector.infer.session, prepared)[0, 0]
        mask_HW = (map_HW > postprocess.thresh).astype(np.uint8)
        if not mask_HW.any():
            return none
        mask_HW = self._cv2.dilate(mask_HW, postprocess.dilation_kernel)
        contours, _ = self._cv2.findContours(mask_HW * 255, self._cv2.RETR_LIST, self._cv2.CHAIN_APPROX_SIMPLE)
        if len(contours) > _MAX_CONTOURS:
            raise _TooManyContoursError
        height, width = pixels_HWC.shape[:2]
        boxes, _ = postprocess.boxes_from_bitmap(map_HW, mask_HW, width, height)
        run.check()
        found = self._detector.filter_tag_det_res(boxes, (height, width))
        return np.asarray(found, np.float32) if len(found) else none

    def _recognise(
        self, pixels_HWC: NDArray[np.uint8], boxes_N42: NDArray[np.float32], run: _Run, width: int, height: int
    ) -> Iterator[Line]:
        """Recognise the lettering of boxes, batch by batch; boxes of similar shape are recognised together."""
        network_height = self._recogniser.rec_image_shape[1]
        least = self._recogniser.rec_image_shape[2] / network_height
        ratios = [_measure_ratio(box_42) for box_42 in boxes_N42]
        order = sorted(range(len(boxes_N42)), key=ratios.__getitem__)
        for batch in _split_batches(order, ratios, network_height):
            crops = self._engine.get_crop_img_list(pixels_HWC, [boxes_N42[index] for index in batch])
            widest = max(least, *(crop.shape[1] / crop.shape[0] for crop in crops))
            prepared = np.stack([self._recogniser.resize_norm_img(crop, widest) for crop in crops])
            results = self._recogniser.postprocess_op(run.run(self._recogniser.session.session, prepared))
            for index, (text, confidence, *_) in zip(batch, results, strict=True):
                if confidence >= MIN_CONFIDENCE and text.strip():
                    box = _enclose(boxes_N42[index], width, height)
                    yield Line(text=text, confidence=min(1.0, float(confidence)), box=box)


class _TooManyContoursError(Exception):
    """The detector's map has more contours than are examined."""


class _Run:
    """Runs networks until a deadline.

    Args:
        options: the runtime's options of a run.
        deadline: latest end, by ``time.monotonic``.
    """

    def __init__(self, options: Any, deadline: float) -> None:
        self._options = options
        self._deadline = deadline

    def terminate(self) -> None:
        """End the current run; called in another thread."""
        self._options.terminate = True

    def check(self) -> None:
        """Raise _OutOfTimeError if the deadline has passed."""
        if time.monotonic() >= self._deadline:
            raise _OutOfTimeError

    def run(self, session: Any, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a network with one input; returns its first output. Raises _OutOfTimeError."""
        self.check()
        try:
            output: NDArray[np.float32] = session.run(None, {session.get_inputs()[0].name: values}, self._options)[0]
        except Exception:
            self.check()  # a run that was ended raises an error of the runtime
            raise
        return output


def _import_libraries() -> tuple[Any, Any, Any]:
    """Import OpenCV, the runtime and RapidOCR; raises ConfigError with what to install."""
    try:
        cv2 = import_module("cv2")
    except ModuleNotFoundError as exc:
        raise ConfigError(f"reading lettering needs the extra ocr, which is not installed: {INSTALL}") from exc
    except ImportError as exc:  # OpenCV with windows needs libGL, which servers lack
        raise ConfigError(
            "OpenCV cannot be loaded, because this machine has no graphics library; install the build without "
            f"windows in its place: {INSTALL_HEADLESS}"
        ) from exc
    try:
        return cv2, import_module("onnxruntime"), import_module("rapidocr_onnxruntime")
    except ImportError as exc:
        raise ConfigError(f"reading lettering needs the extra ocr, which is not installed: {INSTALL}") from exc


def _measure_ratio(box_42: NDArray[np.float32]) -> float:
    """Measure the width of a box's lettering divided by its height."""
    upper_left, upper_right, lower_right, lower_left = box_42.tolist()
    width = max(math.dist(upper_left, upper_right), math.dist(lower_right, lower_left))
    height = max(1.0, math.dist(upper_left, lower_left), math.dist(upper_right, lower_right))
    return height / max(width, 1.0) if height >= _UPRIGHT * width else width / height


def _split_batches(order: Sequence[int], ratios: Sequence[float], height: int) -> Iterator[Sequence[int]]:
    """Split boxes in ascending order of their ratios into batches of bounded width; every batch has a box."""
    start = 0
    while start < len(order):
        end = start + 1
        while end < min(len(order), start + _BATCH) and ratios[order[end]] * height * (end + 1 - start) <= _BATCH_WIDTH:
            end += 1
        yield order[start:end]
        start = end


def _enclose(box_42: NDArray[np.float32], width: int, height: int) -> Box:
    """Enclose a box in an upright one, in shares of the picture's sides."""
    left, top = box_42.min(axis=0).tolist()
    right, bottom = box_42.max(axis=0).tolist()
    return left / width, top / height, right / width, bottom / height
