"""Finds the runs, evaluations and studies of a namespace by the names that people type."""

from __future__ import annotations

from blendtune_api import codec
from blendtune_api.codec import Resource
from blendtune_operator.api import ApiError, list_pages
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError, nearest
from blendtune_operator.names import Kind, Object

# A RubricEval has the name of the run that it belongs to: whoever types the name means the run.
_ORDER = (Kind.BLENDED_FINE_TUNE, Kind.BLEND_STUDY, Kind.RUBRIC_EVAL)
_WORDS = {
    **{word: kind for kind in _ORDER for word in (kind.lower(), kind.plural)},
    "bft": Kind.BLENDED_FINE_TUNE,
    "study": Kind.BLEND_STUDY,
    "rubric": Kind.RUBRIC_EVAL,
}


async def find(access: Access, name: str) -> Object:
    """The object that NAME or KIND/NAME names. Raises ClientError with the names that are alike."""
    word, slash, rest = name.partition("/")
    if slash and word.lower() not in _WORDS:
        raise ClientError(f"{name}: {word} is no kind of Blendtune's: bft, study or rubric")
    kinds = (_WORDS[word.lower()],) if slash else _ORDER
    wanted = rest if slash else name
    for kind in kinds:
        if found := await get(access, kind, wanted):
            return found
    names = {obj["metadata"]["name"] for kind in kinds for obj in await list_all(access, kind)}
    what = kinds[0].value if slash else "run"
    hint = nearest(wanted, names) or "it is empty; -n names another namespace"
    raise ClientError(f"there is no {what} {wanted} in namespace {access.namespace}: {hint}")


async def get(access: Access, kind: Kind, name: str) -> Object | None:
    found = await get_path(access, kind.path(access.namespace, name))
    return found and {**found, "apiVersion": kind.api_version, "kind": kind.value}


async def get_path(access: Access, path: str) -> Object | None:
    """None where the object is not there. Raises ApiError where its kind is not known."""
    try:
        return await access.api.get(path)
    except ApiError as error:
        if error.status == 404 and "could not find the requested resource" not in str(error):
            return None
        raise


async def list_all(access: Access, kind: Kind, selector: str = "") -> list[Object]:
    pages = [page async for page, _ in list_pages(access.api, kind, access.namespace, selector)]
    return [obj for page in pages for obj in page]


def decoded(obj: Object) -> Resource:
    """Raises ClientError for what another version of Blendtune has written."""
    try:
        return codec.decode_object(obj)
    except codec.InvalidObject as error:
        fault = error.faults[0]
        raise ClientError(
            f"{obj['kind']} {obj['metadata']['name']} cannot be read ({fault.path}: {fault.message}): take "
            "the version of this command that the operator has"
        ) from error
