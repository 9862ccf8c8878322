"""Downloads files: several at once, each resumed where it broke off, and checked against its digest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from blendtune_runtime.errors import BadModel, Transient
from blendtune_runtime.models.progress import TransferProgress
from blendtune_runtime.models.sources import ModelSource, RemoteFile
from blendtune_runtime.store_errors import store_errors
from blendtune_runtime.store_retries import with_retries

_CHUNK_BYTES = 32 << 20  # of one request
_FILES_AT_ONCE = 4
_UNFINISHED = ".part"


def transfer(source: ModelSource, files: Sequence[RemoteFile], folder: Path) -> None:
    """Downloads the files to `folder`. Those that are there are complete and are left alone.

    Raises Transient if the source does not answer or a file arrives damaged twice, and what `store_errors`
    raises else; what has arrived stays in the folder, for the next attempt.
    """
    total = sum(file.size for file in files)
    job = _Transfer(source=source, folder=folder, progress=TransferProgress(source.place, total))
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        running = [pool.submit(job.fetch, file) for file in files]
        try:
            for each in running:
                each.result()
        except BaseException:
            job.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    job.progress.finish()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Transfer:
    source: ModelSource
    folder: Path
    progress: TransferProgress
    stop: Event = field(default_factory=Event)

    def fetch(self, file: RemoteFile) -> None:
        target = self.folder / file.name
        if target.is_file():
            self.progress.keep(file.size)
            return
        unfinished = target.with_name(target.name + _UNFINISHED)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            found = self._fetch_content(file, unfinished)
            if self.stop.is_set():
                return
            if file.digest is None or found == file.digest.value:
                unfinished.replace(target)
                return
            unfinished.unlink()
            print(f"{self.source.place}: {file.name} arrived damaged", flush=True)
        raise Transient(
            f"{self.source.place}: {file.name} arrived damaged twice: its digest is not what its listing says"
        )

    def _fetch_content(self, file: RemoteFile, unfinished: Path) -> str | None:
        """Appends what is missing of the file, and returns the digest of all of it; None if it tells none."""
        hasher = file.digest.hasher() if file.digest else None
        with unfinished.open("a+b") as stream:
            if stream.tell() > file.size:
                stream.truncate(0)
            stream.seek(0)
            at = 0
            while kept := stream.read(1 << 20):
                at += len(kept)
                if hasher:
                    hasher.update(kept)
            self.progress.keep(at)
            while at < file.size and not self.stop.is_set():
                chunk = self._read(file, at, min(at + _CHUNK_BYTES, file.size))
                stream.write(chunk)
                at += len(chunk)
                if hasher:
                    hasher.update(chunk)
                self.progress.add(len(chunk))
            stream.flush()
            os.fsync(stream.fileno())
        return hasher.hexdigest() if hasher else None

    def _read(self, file: RemoteFile, start: int, end: int) -> bytes:
        place = f"{self.source.place}: {file.name}"

        def request() -> bytes:
            chunk = self.source.read(file, start, end)
            if len(chunk) != end - start:
                raise ConnectionError(f"bytes {start} to {end}: {len(chunk)} bytes came")
            return chunk

        with store_errors(place, BadModel):
            return with_retries(request, place)
