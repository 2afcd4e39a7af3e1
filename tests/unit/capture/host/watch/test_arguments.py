"""The argument that holds the features is found when a function is decorated."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.watch.arguments import (
    build_argument_reader,
    build_feature_copier,
    list_parameters,
)
from mlmonitor.errors import ConfigError

ROW = {"a": 1.0}


class Model:
    """An object with methods."""

    def predict(self, features: Any) -> None:
        """A method."""

    def __call__(self, features: Any) -> None:
        """A callable object."""


def plain(features: Any, other: int = 0) -> None:
    """An ordinary function."""


def two(model: Any, features: Any = (2.0,)) -> None:
    """A function of a model and its features."""


def only_positional(features: Any, /, other: int = 0) -> None:
    """A function with a positional-only parameter."""


def only_named(*, features: Any = None, other: int = 0) -> None:
    """A function with keyword-only parameters."""


def variadic(*features: Any) -> None:
    """A function of `*features`."""


def named_values(**features: Any) -> None:
    """A function of `**features`."""


def mixed(request: str, *, verbose: bool = False, **features: Any) -> None:
    """A function of `**features` beside other parameters."""


def wrapped(*args: Any, **kwargs: Any) -> None:
    """A wrapper that lost its signature."""


def taken(function: Callable[..., Any], which: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what is copied of one call."""
    return build_feature_copier(function, which, Copiers())(args, kwargs)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, (ROW,), {}),
        (plain, (), {"features": ROW}),
        (plain, (), {"other": 1, "features": ROW}),
        (only_positional, (ROW, 1), {}),
        (only_named, (), {"features": ROW}),
        (Model().predict, (ROW,), {}),
        (Model.predict, (Model(), ROW), {}),
        (Model.predict, (Model(),), {"features": ROW}),
        (Model(), (ROW,), {}),
        (functools.partial(plain, other=1), (ROW,), {}),
        (functools.partial(two, "m"), (ROW,), {}),
        (lambda features: features, (ROW,), {}),
        (named_values, (), ROW),
        (print, (ROW,), {}),
        (min, (0, ROW), {}),
    ],
    ids=[
        "positional",
        "by name",
        "any order",
        "positional only",
        "keyword only",
        "bound",
        "method",
        "method by name",
        "callable object",
        "partial by name",
        "partial by position",
        "lambda",
        "named values",
        "print",
        "builtin without signature",
    ],
)
def test_the_first_argument_holds_the_features(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """It is found and copied for bound and unbound functions, by position and by keyword."""
    form, rows, payload = taken(function, None, *args, **kwargs)
    row = payload[0] if form is PayloadForm.MAPPINGS else payload
    assert (rows, row) == (1, ROW)
    assert row is not ROW


def test_any_argument_may_hold_the_features() -> None:
    """An option names it, and its default is used if the call does not give it."""
    assert taken(plain, "other", None, (1.0,))[2] == (1.0,)
    assert taken(two, "features", 1)[2] == (2.0,)


def test_each_of_several_named_arguments_is_one_field() -> None:
    """Together they form one row."""
    assert taken(plain, ["features", "other"], 1.5) == (
        PayloadForm.MAPPING,
        1,
        {"features": 1.5, "other": 0},
    )


def test_keyword_features_leave_other_arguments_out() -> None:
    """`**features` has only what the other parameters do not take."""
    assert taken(mixed, "features", "id", verbose=True, a=1.0)[2] == ROW
    assert taken(mixed, "features", "id", a=1.0, verbose=False)[2] == ROW


def test_a_feature_may_have_the_name_of_a_positional_only_parameter() -> None:
    """Python passes it in `**features`, so it is a feature."""

    def function(a: Any, /, **features: Any) -> None: ...

    assert taken(function, "features", 0, a=1.0)[2] == ROW


def test_positional_features_form_one_row() -> None:
    """Without any value, `*features` is still one row and not an empty batch."""
    assert taken(variadic, None, 1.0, 2.0) == (PayloadForm.SEQUENCE, 1, (1.0, 2.0))
    assert taken(variadic, None)[1] == 1


def test_the_argument_of_a_wrapper_without_a_signature_is_its_row() -> None:
    """A row given to `(*args, **kwargs)` is a batch of one row."""
    assert taken(wrapped, None, ROW) == (PayloadForm.MAPPINGS, 1, [ROW])


def test_a_call_without_features_is_one_unreadable_row() -> None:
    """The call fails by itself afterwards."""
    assert taken(plain, None)[:2] == (PayloadForm.UNREADABLE, 1)


def test_a_function_without_arguments_is_refused() -> None:
    """There is nothing to record; the message suggests `observe`."""
    with pytest.raises(ConfigError, match="observe"):
        build_feature_copier(lambda: None, None, Copiers())


@pytest.mark.parametrize("which", ["row", ["features", "row"], ""])
def test_a_missing_features_argument_is_refused(which: Any) -> None:
    """The message names the function, the requested argument, and the existing ones."""
    with pytest.raises(ConfigError, match=r"plain has no argument .*features, other"):
        build_feature_copier(plain, which, Copiers())


def test_the_default_is_read_for_an_argument_not_given() -> None:
    """An id argument without a default is then None."""
    assert build_argument_reader(plain, "other")((ROW,), {}) == 0
    assert build_argument_reader(two, "model")((), {}) is None


def test_the_bound_parameter_is_not_a_feature() -> None:
    """`self` is not listed among the parameters."""
    assert list(list_parameters(Model.predict)) == ["features"]
    assert list_parameters(min) == {}
