"""What a number of alerts says about their rate."""

from scipy.stats import binomtest


def highest_rate(hits: int, trials: int) -> float:
    """The highest rate that this many hits allow with 95% confidence, by Clopper and Pearson.

    0 of 299 allow 1%, as do 1 of 473 or 4 of 913: fewer trials cannot support such a sentence.
    """
    return float(binomtest(hits, trials, alternative="less").proportion_ci(0.95).high)
