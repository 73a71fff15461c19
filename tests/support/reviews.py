"""Owns AdmissionReviews as an API server sends them. Must not hold expectations."""

import base64
import copy
import json
from typing import Any

Object = dict[str, Any]


def request(found: Object | None, operation: str = "CREATE", before: Object | None = None, **more: Any) -> Object:
    """What is asked about a resource, with all that a real server says."""
    kind = {"group": "machinelearning.seldon.io", "version": "v1", "kind": "SeldonDeployment"}
    resource = {**{key: kind[key] for key in ("group", "version")}, "resource": "seldondeployments"}
    meta = ((found or before or {}).get("metadata")) or {}
    return {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": meta.get("name", ""),
        "namespace": meta.get("namespace", ""),
        "operation": operation,
        "userInfo": {"username": "admin", "groups": ["system:authenticated"]},
        "object": found,
        "oldObject": before,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        **more,
    }


def body(found: Object | None, operation: str = "CREATE", before: Object | None = None, **more: Any) -> bytes:
    """The whole review, as text."""
    asked = request(found, operation, before, **more)
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked}).encode()


def patched(found: Object, response: Object) -> Object:
    """The resource with the patch of a response, whose operations are all `add`."""
    result = copy.deepcopy(found)
    for each in changes(response):
        assert each["op"] == "add"
        *steps, last = each["path"].strip("/").split("/")
        here: Any = result
        for step in steps:
            here = here[int(step)] if isinstance(here, list) else here[step]
        here[last] = each["value"]
    return result


def changes(response: Object) -> list[Object]:
    """The operations of a response's patch."""
    if "patch" not in response:
        return []
    assert response["patchType"] == "JSONPatch"
    found: list[Object] = json.loads(base64.b64decode(response["patch"]))
    return found
