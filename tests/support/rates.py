"""A confidence bound for the rate of alerts."""

from scipy.stats import binomtest


def highest_rate(hits: int, trials: int) -> float:
    """Return the upper 95% confidence bound of a rate, by Clopper and Pearson.

    The bound is 1% for 0 of 299, 1 of 473 or 4 of 913: with fewer trials, a test cannot assert that
    a rate is below 1%.
    """
    return float(binomtest(hits, trials, alternative="less").proportion_ci(0.95).high)
