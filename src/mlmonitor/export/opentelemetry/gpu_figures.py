"""Utilization and memory of NVIDIA GPUs, which OpenTelemetry's instrumentation leaves out."""

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from mlmonitor.catalog import resource_metrics
from mlmonitor.export.base import Attributes, Point


class Gpus:
    """The GPUs of the machine, read through NVML; none if there is no driver or `nvidia-ml-py`.

    Utilization and memory are those of the whole GPU, over all processes.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: dict[str, Any] = {}
        with suppress(Exception):  # no package, no driver or no GPU: all are normal
            nvml: Any = import_module("pynvml")
            nvml.nvmlInit()
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                name = nvml.nvmlDeviceGetUUID(handle)
                text = name.decode() if isinstance(name, bytes) else str(name)
                self._handles[text] = handle
            self._nvml = nvml

    def points(self, identity: Attributes) -> Iterator[Point]:
        """Yield the figures of each GPU; a figure that a GPU does not report is left out."""
        for name, handle in self._handles.items():
            labels = (*identity, ("hw.id", name))
            with suppress(Exception):
                share = self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
                yield Point(resource_metrics.GPU_UTILIZATION, labels, share)
            with suppress(Exception):
                memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
                yield Point(resource_metrics.GPU_MEMORY, labels, float(memory.used))
                yield Point(resource_metrics.GPU_MEMORY_LIMIT, labels, float(memory.total))
