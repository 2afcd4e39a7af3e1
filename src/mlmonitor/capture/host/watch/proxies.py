"""Proxies for watched objects whose attributes must stay available: callables and models."""

import copy
import copyreg
from collections.abc import Callable
from functools import lru_cache
from types import MethodType
from typing import Any, Self, cast

from mlmonitor.forks import NO_PICKLE


class WatchedObject:
    """A proxy that replaces some attributes of an object by wrappers.

    `isinstance` and all other attributes work as on the wrapped object; setting an attribute sets
    it on that object.
    """

    __slots__ = ("__weakref__", "__wrapped__", "_rewrap", "_wrappers")

    def __init__(self, wrapped: Any, rewrap: Callable[[Any], dict[str, Any]]) -> None:
        object.__setattr__(self, "__wrapped__", wrapped)
        object.__setattr__(self, "_rewrap", rewrap)
        object.__setattr__(self, "_wrappers", rewrap(wrapped))

    @property
    def __class__(self) -> Any:
        return type(self.__wrapped__)

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        raise TypeError("a watched object keeps its class")

    def __getattr__(self, name: str) -> Any:
        if name in WatchedObject.__slots__:
            raise AttributeError(name)  # read before `__init__` has set the wrapped object
        wrappers: dict[str, Any] = self._wrappers
        return wrappers[name] if name in wrappers else getattr(self.__wrapped__, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __repr__(self) -> str:
        return f"<watched {self.__wrapped__!r}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> "WatchedObject":
        return type(self)(copy.deepcopy(self.__wrapped__, memo), self._rewrap)

    def __copy__(self) -> "WatchedObject":
        return type(self)(copy.copy(self.__wrapped__), self._rewrap)

    def __reduce_ex__(self, _protocol: object) -> Any:
        raise TypeError(NO_PICKLE)


class WatchedCallable(WatchedObject):
    """A proxy that watches the calls of a callable object, such as a `lru_cache` function."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the wrapped object and record the call."""
        return self._wrappers["__call__"](*args, **kwargs)

    def __get__(self, instance: Any, _owner: Any = None) -> Any:
        """Bind to an instance, like a method, if the wrapped object is a descriptor."""
        if instance is None or not hasattr(type(self.__wrapped__), "__get__"):
            return self
        return MethodType(self, instance)


class WatchedModel(WatchedObject):
    """A proxy of a fitted model whose prediction methods are watched; it pickles as the bare model.

    The pickle refers to nothing in this package, so it loads where the package is not installed.
    The loaded model is not watched.
    """

    __slots__ = ()

    def __new__(cls, wrapped: Any, _rewrap: Callable[[Any], dict[str, Any]]) -> Self:
        """Make a proxy with the special methods of the model, such as `len(pipeline)`."""
        kind: Any = type(wrapped)  # hashable, which mypy does not see
        return cast("Self", object.__new__(_make_class(kind)))

    def __reduce_ex__(self, protocol: Any) -> Any:
        model = self.__wrapped__
        reduce = copyreg.dispatch_table.get(type(model))
        return model.__reduce_ex__(protocol) if reduce is None else reduce(model)


_CONTAINER_METHODS = ("__len__", "__getitem__", "__iter__", "__contains__")
"""Python looks them up in the class, so `__getattr__` cannot provide them."""


@lru_cache(maxsize=256)
def _make_class(kind: type) -> type[WatchedModel]:
    methods = {name: _forward(name) for name in _CONTAINER_METHODS if hasattr(kind, name)}
    return type("WatchedModel", (WatchedModel,), {"__slots__": (), **methods})


def _forward(name: str) -> Callable[..., Any]:
    def call(self: WatchedModel, *args: Any) -> Any:
        return getattr(self.__wrapped__, name)(*args)

    return call
