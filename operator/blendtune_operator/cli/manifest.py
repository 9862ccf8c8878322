"""Reads manifests as kubectl does, and says of every fault in which file and line it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.blend_study import BLEND_STUDY, BlendStudy
from blendtune_api.v1alpha1 import BLENDED_FINE_TUNE, RUBRIC_EVAL, BlendedFineTune, RubricEval
from blendtune_documents.yaml_lines import InvalidYaml, MappingNode, Node, lines, plain, read_documents

CONFIG_MAP = "ConfigMap"
_FILE_URI = "file://"


class ManifestError(Exception):
    """Faults of the manifests, one a line, each with file, line and field path."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One YAML document; `lines` gives the line, from 1, of each field path."""

    value: Mapping[str, Any]
    file: Path
    lines: Mapping[str, int]

    @property
    def kind(self) -> str:
        return str(self.value.get("kind", ""))

    @property
    def name(self) -> str:
        return self._metadata("name", "")

    @property
    def namespace(self) -> str:
        return self._metadata("namespace", "default")

    def _metadata(self, field: str, default: str) -> str:
        metadata = self.value.get("metadata")
        return str(metadata.get(field, default)) if isinstance(metadata, Mapping) else default

    def where(self, path: str) -> str:
        """File and line of a field path, or of the nearest field around it."""
        known = path
        while known and known not in self.lines:
            known = re.sub(r"(\.[^.\[\]]+|\[\d+\]|^[^.\[\]]+)$", "", known)
        return f"{self.file}:{self.lines.get(known, 1)}"

    def fault(self, path: str, message: str) -> str:
        return f"{self.where(path)}: {path}: {message}" if path else f"{self.where(path)}: {message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifests:
    """The objects to run, the document of each, and the ConfigMaps that they refer to."""

    objects: tuple[BlendedFineTune | RubricEval, ...]
    documents: tuple[Document, ...]
    config_maps: tuple[Document, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyManifest:
    """The study to run, its document, and the ConfigMaps that it refers to."""

    study: BlendStudy
    document: Document
    config_maps: tuple[Document, ...]


def load(paths: Iterable[Path], *, complete: bool = True) -> Manifests:
    """The objects in files, or in the YAML files of folders. Raises ManifestError with every fault.

    A file or ConfigMap that an object refers to and that is not there is a fault, unless the objects need not
    be `complete`.
    """
    found, config_maps = _decoded(paths, (BLENDED_FINE_TUNE, RUBRIC_EVAL), complete)
    runs = [(obj, document) for obj, document in found if not isinstance(obj, BlendStudy)]
    if not runs:
        raise ManifestError([f"no {BLENDED_FINE_TUNE} and no {RUBRIC_EVAL} in what was given"])
    return Manifests(
        objects=tuple(obj for obj, _ in runs),
        documents=tuple(document for _, document in runs),
        config_maps=config_maps,
    )


def holds_study(paths: Iterable[Path]) -> bool:
    """Whether there is a BlendStudy among the documents. Raises ManifestError where they cannot be read."""
    documents = (document for path in paths for file in _files(path) for document in _documents(file))
    return any(document.kind == BLEND_STUDY for document in documents)


def load_study(paths: Iterable[Path], *, complete: bool = True) -> StudyManifest:
    """The only BlendStudy in files, or in YAML files of folders. Raises ManifestError as `load` does."""
    found, config_maps = _decoded(paths, (BLEND_STUDY,), complete)
    studies = [(obj, document) for obj, document in found if isinstance(obj, BlendStudy)]
    if len(studies) != 1:
        raise ManifestError([f"{len(studies)} objects of kind {BLEND_STUDY} in what was given: give one"])
    ((study, document),) = studies
    return StudyManifest(study=study, document=document, config_maps=config_maps)


def _decoded(
    paths: Iterable[Path], kinds: Sequence[str], complete: bool
) -> tuple[list[tuple[codec.Resource, Document]], tuple[Document, ...]]:
    """The objects of these kinds with their documents, and the ConfigMaps. Any other kind is a fault."""
    documents = [document for path in paths for file in _files(path) for document in _documents(file)]
    config_maps = tuple(document for document in documents if document.kind == CONFIG_MAP)
    objects: list[tuple[codec.Resource, Document]] = []
    faults: list[str] = []
    for document in documents:
        if document.kind == CONFIG_MAP:
            continue
        if document.kind not in kinds:
            hint = "; `blendtune study` runs it" if document.kind == BLEND_STUDY else ""
            known = ", ".join((*kinds, CONFIG_MAP))
            faults.append(document.fault("kind", f"{document.kind or 'no kind'} is none of {known}{hint}"))
            continue
        if complete:
            faults += _missing_files(document)
            faults += _missing_config_map(document, config_maps)
        try:
            decoded = codec.decode_object(_absolute_uris(document.value, document.file.parent))
            objects.append((decoded, document))
        except codec.InvalidObject as error:
            faults += [document.fault(fault.path, fault.message) for fault in error.faults]
    if faults:
        raise ManifestError(faults)
    return objects, config_maps


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml", ".json"))
    return [path]


def _documents(file: Path) -> list[Document]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError([f"{file}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ManifestError([f"{file}: is not UTF-8 text"]) from error
    try:
        nodes = read_documents(text)
    except InvalidYaml as error:
        raise ManifestError(
            [
                f"{file}:{each.line}: {each.path or 'not valid YAML'}: {each.message}"
                for each in error.problems
            ]
        ) from error
    return [_document(node, file, text) for node in nodes]


def _document(node: Node, file: Path, text: str) -> Document:
    if not isinstance(node, MappingNode):
        raise ManifestError([f"{file}:{node.line}: a Kubernetes object is a mapping"])
    value = plain(node)
    if _is_rubric(value):
        return Document(value=_config_map_of(value, file, text), file=file, lines={})
    return Document(value=value, file=file, lines=dict(lines(node)))


def _is_rubric(value: Mapping[str, Any]) -> bool:
    return "kind" not in value and "questions" in value


def _config_map_of(rubric: Mapping[str, Any], file: Path, text: str) -> Mapping[str, Any]:
    """What `kubectl create configmap <the rubric's name> --from-file <file>` makes of a rubric."""
    return {
        "apiVersion": "v1",
        "kind": CONFIG_MAP,
        "metadata": {"name": str(rubric.get("name", ""))},
        "data": {file.name: text},
    }


def _uris(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each `uri` field below a value, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            child = f"{path}.{key}" if path else str(key)
            if key == "uri" and isinstance(item, str):
                yield child, item
            else:
                yield from _uris(item, child)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _uris(item, f"{path}[{index}]")


def _local_path(uri: str, folder: Path) -> Path:
    return (folder / uri.removeprefix(_FILE_URI)).resolve()


def _absolute_uris(value: Any, folder: Path) -> Any:
    """The document with each file:// URI made absolute: a relative one starts from the manifest's folder."""
    if isinstance(value, Mapping):
        return {
            key: f"{_FILE_URI}{_local_path(item, folder)}"
            if key == "uri" and isinstance(item, str) and item.startswith(_FILE_URI)
            else _absolute_uris(item, folder)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_absolute_uris(item, folder) for item in value]
    return value


def _missing_files(document: Document) -> Iterator[str]:
    for path, uri in _uris(document.value.get("spec", {}), "spec"):
        if path.endswith("spec.export.uri") or not uri.startswith(_FILE_URI):
            continue
        file = _local_path(uri, document.file.parent)
        if not file.exists():
            yield document.fault(path, f"there is no {file}")


@dataclass(frozen=True, slots=True)
class ConfigMapReference:
    """The key of a ConfigMap with a rubric that a document names at a field path."""

    path: str
    name: str
    key: str


def config_map_reference(document: Document) -> ConfigMapReference | None:
    places = {
        BLENDED_FINE_TUNE: ("spec", "evaluation", "rubric"),
        BLEND_STUDY: ("spec", "template", "spec", "evaluation", "rubric"),
        RUBRIC_EVAL: ("spec", "rubric"),
    }
    rubric: Any = document.value
    for name in places[document.kind]:
        rubric = rubric.get(name, {}) if isinstance(rubric, Mapping) else {}
    reference = rubric.get("configMapRef") if isinstance(rubric, Mapping) else None
    if not isinstance(reference, Mapping):
        return None
    path = ".".join((*places[document.kind], "configMapRef"))
    return ConfigMapReference(path, str(reference.get("name")), str(reference.get("key")))


def _missing_config_map(document: Document, config_maps: Sequence[Document]) -> Iterator[str]:
    reference = config_map_reference(document)
    if reference is None:
        return
    path, wanted = reference.path, reference.name
    alike = [item for item in config_maps if item.name == wanted]
    found = [item for item in alike if item.namespace == document.namespace]
    if alike and not found:
        place = f"in namespace {alike[0].namespace}, the run in {document.namespace}"
        yield document.fault(path, f"ConfigMap {wanted} is {place}: give both the same metadata.namespace")
    elif not found:
        yield document.fault(path, f"no ConfigMap {wanted} in what was given: add its file with another -f")
    elif reference.key not in found[0].value.get("data", {}):
        yield document.fault(path, f"ConfigMap {wanted} has no key {reference.key}")
