"""Metrics of the process itself, under OpenTelemetry's own names; `Config.resources` exports them.

They belong to a process and not to a version, so they carry the model's name but no version.
"""

from mlmonitor.catalog.metric_spec import MetricSpec

GPU_UTILIZATION = MetricSpec(
    "hw.gpu.utilization", "gauge", "1", ("hw.id",), "Share of the time in which a GPU was busy"
)
GPU_MEMORY = MetricSpec("hw.gpu.memory.usage", "gauge", "By", ("hw.id",), "Memory of a GPU in use")
GPU_MEMORY_LIMIT = MetricSpec("hw.gpu.memory.limit", "gauge", "By", ("hw.id",), "Memory of a GPU")

INSTRUMENTED: tuple[MetricSpec, ...] = (
    MetricSpec("process.cpu.time", "counter", "s", ("type",), "CPU time of the process"),
    MetricSpec(
        "process.cpu.utilization",
        "gauge",
        "1",
        (),
        "CPU time since the last export, as a share of what all cores have",
    ),
    MetricSpec("process.memory.usage", "gauge", "By", (), "Physical memory of the process"),
    MetricSpec("process.memory.virtual", "gauge", "By", (), "Virtual memory of the process"),
    MetricSpec("process.thread.count", "gauge", "{thread}", (), "Threads of the process"),
    MetricSpec(
        "process.open_file_descriptor.count",
        "gauge",
        "{file_descriptor}",
        (),
        "Open files of the process",
    ),
    MetricSpec(
        "cpython.gc.collections",
        "counter",
        "{collection}",
        ("cpython.gc.generation",),
        "Garbage collections",
    ),
    MetricSpec(
        "cpython.gc.collected_objects",
        "counter",
        "{object}",
        ("cpython.gc.generation",),
        "Objects that the garbage collector freed",
    ),
    MetricSpec(
        "cpython.gc.uncollectable_objects",
        "counter",
        "{object}",
        ("cpython.gc.generation",),
        "Objects that the garbage collector could not free",
    ),
)
"""Metrics that OpenTelemetry's instrumentation of system metrics measures."""

UTILIZATION: MetricSpec = INSTRUMENTED[1]

RESOURCES: tuple[MetricSpec, ...] = (*INSTRUMENTED, GPU_UTILIZATION, GPU_MEMORY, GPU_MEMORY_LIMIT)
"""All metrics of the process; not part of the catalogue, because they are not our own."""
