"""Proxies for watched objects that are more than functions: their attributes stay available."""

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

from mlmonitor.forks import NO_PICKLE


class WatchedObject:
    """A proxy that replaces some attributes of an object by wrappers.

    `isinstance`, all other attributes and methods are those of the wrapped object; setting an
    attribute sets it there.
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
    """A callable object, such as one of `lru_cache`, whose calls are watched."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the wrapped object and record the call."""
        return self._wrappers["__call__"](*args, **kwargs)

    def __get__(self, instance: Any, _owner: Any = None) -> Any:
        """Bind to an instance like a function if the wrapped object does so."""
        if instance is None or not hasattr(type(self.__wrapped__), "__get__"):
            return self
        return MethodType(self, instance)
