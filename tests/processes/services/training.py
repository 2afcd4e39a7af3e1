"""The training data of the model that the services under test serve."""

from mlmonitor import Reference

REFERENCE = Reference.fit(
    {"amount": [float(i % 100) for i in range(1_000)], "line": ["A", "B"] * 500},
    predictions=[float(i % 100) for i in range(1_000)],
    thresholds="asymptotic",  # no test reads them, and every process of a service fits anew
)
