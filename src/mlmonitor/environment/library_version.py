"""The version of this library, which is named in exports, pages and reports."""


def library_version() -> str:
    """Return the version of this library; empty if it is not an installed package.

    A program frozen by PyInstaller has no version unless the package metadata was copied.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mlmonitor-sdk")
    except PackageNotFoundError:
        return ""
