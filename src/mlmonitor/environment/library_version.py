"""The version of this library, which exports, pages and reports name."""


def library_version() -> str:
    """The version of this library; empty where it is no installed package.

    A program frozen by PyInstaller has none, unless the metadata was copied.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mlmonitor-sdk")
    except PackageNotFoundError:
        return ""
