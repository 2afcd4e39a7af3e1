"""The part of a monitor that presents its model: a live page and a report."""

from collections.abc import Collection
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mlmonitor.config import Config

if TYPE_CHECKING:
    from mlmonitor.present.page.page_server import PageServer
    from mlmonitor.present.views.view_options import ModelReading
    from mlmonitor.worker.worker import Worker


class Presenting:
    """The live page and the report of one model."""

    config: Config
    _worker: "Worker"
    _servers: "list[PageServer]"

    def serve(
        self,
        *,
        port: int = 8808,
        host: str = "127.0.0.1",
        allowed_hosts: Collection[str] = (),
    ) -> "PageServer":
        """Serve the live page of a script from a daemon thread; return the server.

        The page is read-only and shows no individual row. It is served until the monitor or the
        server is closed; the server's `url` is its address. In a web service, mount
        `mlmonitor.integrations.asgi.page` instead. Nothing is computed while nobody views the page.

        Args:
            port: 0 for any free port.
            host: the interface to bind to. Anybody who reaches it can read the page.
            allowed_hosts: host names by which browsers may request the page, besides `localhost`;
                `*` allows any name, behind a proxy that checks names.

        Raises:
            ConfigError: the port cannot be served.
            MonitorError: the monitor was closed.
            MissingExtra: the extra `page` is not installed.
        """
        from mlmonitor.present.page.page_server import start_server
        from mlmonitor.present.page.page_source import PageSource

        self._worker.check_open("serve")
        source = PageSource(self._read_page)
        server = start_server([source], host=host, port=port, allowed_hosts=allowed_hosts)
        self._servers.append(server)
        return server

    def report(self, path: str | PathLike[str]) -> Path:
        """Write a report of the model as it is now; return its path.

        A path that ends in `.html` gives one self-contained file with the pictures of the live
        page, for people; one that ends in `.json` gives the status and the history of the window,
        for machines. An existing file is replaced atomically.
        Price: 15 to 25 ms and 25 kB a field, in the calling thread.

        Raises:
            ConfigError: the path has another extension.
            MissingExtra: the extra `report` is not installed, for HTML.
            OSError: the file cannot be written.
        """
        from mlmonitor.present.report.report_file import check_path, write_report

        check_path(path)  # before anything is read
        return write_report(self._read_page(), path)

    def _read_page(self) -> "ModelReading":
        """Read the model with the history of its window."""
        from mlmonitor.present.views.view_options import ModelReading

        snapshot, status = self._worker.read(with_history=True)
        if not self.config.enabled:
            status = replace(status, state="disabled")
        return ModelReading(snapshot, status)

    def _stop_serving(self) -> None:
        while self._servers:
            self._servers.pop().close()
